// Command floor is the least that a CQL server in Go can do: it answers each request
// with the same bytes, without a parser and without an engine. What it costs
// per request is what no database behind the same sockets can undercut, and
// what the operating system, the network and the driver's habits take.
//
//	go run ./floor -listen 127.0.0.1:9042
//	go run ./cqlload -workload write,read,mixed -n 1000000 -pid ...
//
// It knows the statements of cqlload's write, read and mixed by their first
// words and serves protocol 4 alone. One goroutine per connection reads what
// is there, answers all of it from prepared frames, and writes once. On
// SIGUSR1 and at its end it prints a JSON line with the requests since the
// last one and how many of them came in one read(2) on average.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// counts are of all connections since they were last printed.
type counts struct{ frames, reads, writes atomic.Int64 }

func (c *counts) print() {
	frames, reads, writes := c.frames.Swap(0), c.reads.Swap(0), c.writes.Swap(0)
	line, err := json.Marshal(map[string]any{
		"frames": frames, "reads": reads, "writes": writes,
		"frames_per_read": float64(frames) / float64(max(reads, 1)),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}

func main() {
	listen := flag.String("listen", "127.0.0.1:9042", "address")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal("floor: ", err)
	}
	answers := newAnswers()
	var total counts
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for s := range signals {
			total.print()
			if s != syscall.SIGUSR1 {
				os.Exit(0)
			}
		}
	}()
	fmt.Println("ready at", l.Addr())
	log.Fatal("floor: ", accept(l, answers, &total))
}

// accept serves connections until l fails or is closed.
func accept(l net.Listener, a *answers, total *counts) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if err := serve(c, a, total); err != nil {
				log.Print("floor: ", err)
			}
		}()
	}
}
