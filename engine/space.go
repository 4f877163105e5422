package engine

import (
	"time"
)

// Shares of the disk, in percent used.
const (
	diskWarn   = 90
	diskRefuse = 95
	diskResume = 94
	spaceCheck = time.Second
)

// spaceLoop watches how full the disk is, until the engine closes.
func (e *Engine) spaceLoop() {
	t := e.opts.Clock.NewTicker(spaceCheck)
	defer t.Stop()
	warned := false
	for {
		select {
		case <-e.closing:
			return
		case <-t.C():
		}
		u, err := e.opts.FS.DiskUsage(e.opts.Dir)
		if err != nil || u.Total == 0 {
			continue
		}
		used := 100 - int(u.Free*100/u.Total)
		if used >= diskWarn && !warned {
			e.logger.Warn("disk is nearly full", "percent", used)
		}
		warned = used >= diskWarn
		switch {
		case used >= diskRefuse:
			if !e.diskFull.Swap(true) {
				e.logger.Error("disk full: writes are refused until there is space", "percent", used)
			}
		case used <= diskResume:
			if e.diskFull.Swap(false) {
				e.logger.Info("disk has space again: writes are accepted", "percent", used)
				e.wakeWriters()
				e.wakeFlush()
			}
		}
	}
}
