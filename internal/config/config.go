package config

import (
	"cmp"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ilion-db/ilion/internal/level"
)

// Config is everything that `ilion serve` can be told.
type Config struct {
	DataDir             string        // where the data lies
	ListenAddress       string        // IP address for clients, HTTP and, if InternodeAddress is empty, other nodes
	InternodeAddress    string        // IP address for other nodes; empty is ListenAddress
	InternodePort       int           // other nodes; 0 picks a free one
	Join                []string      // internode addresses of members of a cluster, "ip" or "ip:port"; empty may make one
	ClusterKeyFile      string        // file of the key that nodes prove to each other; empty for none
	NumTokens           int           // ranges that this node begins to own when it joins
	NativePort          int           // CQL; 0 picks a free one
	HTTPPort            int           // metrics and health; 0 picks a free one
	ClusterName         string        // drivers show it
	DC                  string        // data centre
	Rack                string        // rack
	CommitlogSync       string        // batch, group or periodic
	CommitlogSyncPeriod time.Duration // periodic: at most this much is lost by a power cut
	CommitlogSegment    int64         // bytes of a log segment
	CommitlogTotal      int64         // bytes of log that may await flushing
	DiskAccessMode      string        // auto, mmap or direct
	Memory              int64         // bytes, for the whole process
	LogFormat           string        // text or json
	Insecure            bool          // allow an address that is not loopback without passwords
	SetAside            []string      // commit log files to set aside at start
	RequestTimeout      time.Duration // a request older than this is answered as timed out
	ReadTimeout         time.Duration // a read of partitions waits so long for replicas
	RangeTimeout        time.Duration // a page of a range of partitions waits so long for replicas
	WriteTimeout        time.Duration // a write waits so long for replicas
	HintWindow          time.Duration // writes for a node that is down are kept so long
	HintSpace           int64         // bytes of disk that they may take
	Tombstones          int           // a read without pages that meets more of them fails
	FormatLevel         int           // newest format level to agree to; 0 is the newest that this version has
}

// Default returns the configuration of `ilion serve` without any flag.
func Default() Config {
	return Config{
		DataDir:             "./ilion-data",
		ListenAddress:       "127.0.0.1",
		InternodePort:       7000,
		NumTokens:           16,
		NativePort:          9042,
		HTTPPort:            9180,
		ClusterName:         "Test Cluster",
		DC:                  "datacenter1",
		Rack:                "rack1",
		CommitlogSync:       "batch",
		CommitlogSyncPeriod: 10 * time.Millisecond,
		CommitlogSegment:    32 << 20,
		CommitlogTotal:      1 << 30,
		DiskAccessMode:      "auto",
		Memory:              2 << 30,
		LogFormat:           "text",
		RequestTimeout:      10 * time.Second,
		ReadTimeout:         5 * time.Second,
		RangeTimeout:        10 * time.Second,
		WriteTimeout:        2 * time.Second,
		HintWindow:          3 * time.Hour,
		HintSpace:           1 << 30,
		Tombstones:          100_000,
	}
}

// Setting is one name under which a part of a Config can be told: the flag
// --name, the variable ILION_NAME and the YAML key name with underscores.
type Setting struct {
	Name  string
	Usage string
	Bool  bool // a flag that needs no value
	get   func(*Config) string
	set   func(*Config, string) error
	check func(string) error // of values that no set has seen, nil for any
}

// Env is the setting's environment variable.
func (s *Setting) Env() string {
	return "ILION_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Key is the setting's YAML key.
func (s *Setting) Key() string { return strings.ReplaceAll(s.Name, "-", "_") }

// Get returns the value as text.
func (s *Setting) Get(c *Config) string { return s.get(c) }

// Set parses value into c.
func (s *Setting) Set(c *Config, value string) error {
	if err := s.set(c, value); err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	return nil
}

// Settings lists every setting in the order of the help text.
func Settings() []*Setting {
	return []*Setting{
		text("data-dir", "`directory` of the data", func(c *Config) *string { return &c.DataDir }),
		text("listen-address", "IP `address` for CQL clients, HTTP and other nodes", func(c *Config) *string { return &c.ListenAddress }),
		text("internode-address", "IP `address` for other nodes, if it is another than --listen-address", func(c *Config) *string { return &c.InternodeAddress }),
		number("internode-port", "`port` for other nodes, 0 for any free one", func(c *Config) *int { return &c.InternodePort }),
		list("join", "members of the cluster to join, `addresses` with or without port, parted by commas; without any, a node in an empty directory makes a new cluster", func(c *Config) *[]string { return &c.Join }),
		text("cluster-key-file", "`file` with the secret that all nodes of the cluster share", func(c *Config) *string { return &c.ClusterKeyFile }),
		count("num-tokens", "`number` of ranges that a new node owns", func(c *Config) *int { return &c.NumTokens }, maxTokens),
		number("native-port", "`port` of the CQL protocol, 0 for any free one", func(c *Config) *int { return &c.NativePort }),
		number("http-port", "`port` of metrics and health, 0 for any free one", func(c *Config) *int { return &c.HTTPPort }),
		text("cluster-name", "`name` of the cluster", func(c *Config) *string { return &c.ClusterName }),
		text("dc", "data centre of this node, a `name`", func(c *Config) *string { return &c.DC }),
		text("rack", "rack of this node, a `name`", func(c *Config) *string { return &c.Rack }),
		choice("commitlog-sync", "`when` a write is acknowledged", func(c *Config) *string { return &c.CommitlogSync }, "batch", "group", "periodic"),
		duration("commitlog-sync-period", "`time` between syncs if periodic", func(c *Config) *time.Duration { return &c.CommitlogSyncPeriod }),
		size("commitlog-segment-size", "`size` of a log segment", func(c *Config) *int64 { return &c.CommitlogSegment }),
		size("commitlog-total-space", "`size` of log that may wait for flushes", func(c *Config) *int64 { return &c.CommitlogTotal }),
		choice("disk-access-mode", "`how` data files are read", func(c *Config) *string { return &c.DiskAccessMode }, "auto", "mmap", "direct"),
		size("memory", "memory of the whole process, a `size` such as 512MiB or 2GiB", func(c *Config) *int64 { return &c.Memory }),
		choice("log-format", "`format` of the node's log", func(c *Config) *string { return &c.LogFormat }, "text", "json"),
		flag("insecure", "allow an address that is not loopback: there are no passwords yet", func(c *Config) *bool { return &c.Insecure }),
		list("set-aside", "commit log `file` to set aside at start, losing what only it holds", func(c *Config) *[]string { return &c.SetAside }),
		duration("request-timeout", "`time` after which a request is answered as timed out", func(c *Config) *time.Duration { return &c.RequestTimeout }),
		duration("read-request-timeout", "`time` that a read of partitions waits for replicas", func(c *Config) *time.Duration { return &c.ReadTimeout }),
		duration("range-request-timeout", "`time` that a page of a range waits for replicas", func(c *Config) *time.Duration { return &c.RangeTimeout }),
		duration("write-request-timeout", "`time` that a write waits for replicas", func(c *Config) *time.Duration { return &c.WriteTimeout }),
		duration("max-hint-window", "`time` that writes are kept for a node that is down", func(c *Config) *time.Duration { return &c.HintWindow }),
		formatLevel("format-level", "newest format `level` that this node agrees to write: keeps the way back to an older version open", func(c *Config) *int { return &c.FormatLevel }),
		count("tombstone-failure-threshold", "`number` of tombstones at which a page ends and a read without pages fails", func(c *Config) *int { return &c.Tombstones }, math.MaxInt32),
		size("max-hints-size", "`size` on disk of the writes kept for nodes that are down", func(c *Config) *int64 { return &c.HintSpace }),
	}
}

func text(name, usage string, at func(*Config) *string) *Setting {
	return &Setting{Name: name, Usage: usage,
		get: func(c *Config) string { return *at(c) },
		set: func(c *Config, v string) error { *at(c) = v; return nil }}
}

func choice(name, usage string, at func(*Config) *string, allowed ...string) *Setting {
	s := text(name, usage+": "+strings.Join(allowed, ", "), at)
	s.check = func(v string) error {
		if !slices.Contains(allowed, v) {
			return fmt.Errorf("%q is not one of %s", v, strings.Join(allowed, ", "))
		}
		return nil
	}
	s.set = func(c *Config, v string) error {
		*at(c) = v
		return s.check(v)
	}
	return s
}

func number(name, usage string, at func(*Config) *int) *Setting {
	return &Setting{Name: name, Usage: usage,
		get: func(c *Config) string { return strconv.Itoa(*at(c)) },
		set: func(c *Config, v string) error {
			n, err := strconv.Atoi(v)
			if err != nil || n < 0 || n > 65535 {
				return fmt.Errorf("%q is not a port (0 to 65535)", v)
			}
			*at(c) = n
			return nil
		}}
}

func count(name, usage string, at func(*Config) *int, most int) *Setting {
	s := &Setting{Name: name, Usage: usage, get: func(c *Config) string { return strconv.Itoa(*at(c)) }}
	s.check = func(v string) error {
		if n, err := strconv.Atoi(v); err != nil || n < 1 || n > most {
			return fmt.Errorf("%q is not a number from 1 to %d", v, most)
		}
		return nil
	}
	s.set = func(c *Config, v string) (err error) {
		if err = s.check(v); err == nil {
			*at(c), err = strconv.Atoi(v)
		}
		return err
	}
	return s
}

// latest is the format level of who names none.
const latest = "latest"

func formatLevel(name, usage string, at func(*Config) *int) *Setting {
	s := &Setting{Name: name, Usage: usage, get: func(c *Config) string {
		if *at(c) == 0 {
			return latest
		}
		return strconv.Itoa(*at(c))
	}}
	s.check = func(v string) error {
		if v == latest {
			return nil
		}
		if n, err := strconv.Atoi(v); err != nil || n < int(level.Lowest) || n > int(level.Highest) {
			return fmt.Errorf("%q is neither %s nor a level from %d to %d", v, latest, level.Lowest, level.Highest)
		}
		return nil
	}
	s.set = func(c *Config, v string) (err error) {
		if err = s.check(v); err != nil {
			return err
		}
		*at(c) = 0
		if v != latest {
			*at(c), err = strconv.Atoi(v)
		}
		return err
	}
	return s
}

func duration(name, usage string, at func(*Config) *time.Duration) *Setting {
	return &Setting{Name: name, Usage: usage,
		get: func(c *Config) string { return at(c).String() },
		set: func(c *Config, v string) error {
			d, err := time.ParseDuration(v)
			if err != nil || d <= 0 {
				return fmt.Errorf("%q is not a duration such as 10ms or 5s", v)
			}
			*at(c) = d
			return nil
		}}
}

func size(name, usage string, at func(*Config) *int64) *Setting {
	return &Setting{Name: name, Usage: usage,
		get: func(c *Config) string { return FormatSize(*at(c)) },
		set: func(c *Config, v string) error {
			n, err := parseSize(v)
			if err != nil {
				return err
			}
			*at(c) = n
			return nil
		}}
}

func flag(name, usage string, at func(*Config) *bool) *Setting {
	return &Setting{Name: name, Usage: usage, Bool: true,
		get: func(c *Config) string { return strconv.FormatBool(*at(c)) },
		set: func(c *Config, v string) error {
			b, err := strconv.ParseBool(v)
			if err != nil {
				return fmt.Errorf("%q is neither true nor false", v)
			}
			*at(c) = b
			return nil
		}}
}

func list(name, usage string, at func(*Config) *[]string) *Setting {
	return &Setting{Name: name, Usage: usage,
		get: func(c *Config) string { return strings.Join(*at(c), ",") },
		set: func(c *Config, v string) error {
			*at(c) = nil // what is told later takes the place of what was before
			for one := range strings.SplitSeq(v, ",") {
				if one = strings.TrimSpace(one); one != "" {
					*at(c) = append(*at(c), one)
				}
			}
			return nil
		}}
}

// MinMemory is the least memory that a node can be told to use.
const MinMemory = 256 << 20

// maxTokens is the most ranges that a node can own.
const maxTokens = 256

// Validate tells the first thing that cannot work, in words for a person.
func (c *Config) Validate() error {
	ip := net.ParseIP(c.ListenAddress)
	if ip == nil {
		return fmt.Errorf("listen-address: %q is not an IP address such as 127.0.0.1", c.ListenAddress)
	}
	if !ip.IsLoopback() && !c.Insecure {
		return fmt.Errorf("listen-address: %s is not a loopback address, and there are no passwords yet: anybody who reaches it could read and change all data. To allow that, add --insecure", c.ListenAddress)
	}
	if err := c.validateInternode(); err != nil {
		return err
	}
	for _, s := range Settings() {
		if s.check != nil {
			if err := s.check(s.get(c)); err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
		}
	}
	if c.Memory < MinMemory {
		return fmt.Errorf("memory: %s is less than the least that works, %s", FormatSize(c.Memory), FormatSize(MinMemory))
	}
	if c.CommitlogSegment < 64<<10 {
		return fmt.Errorf("commitlog-segment-size: %s is less than the least that works, 64KiB", FormatSize(c.CommitlogSegment))
	}
	if c.DataDir == "" {
		return fmt.Errorf("data-dir: must not be empty")
	}
	return nil
}

// validateInternode checks what concerns other nodes.
func (c *Config) validateInternode() error {
	ip := net.ParseIP(c.Internode())
	switch {
	case ip == nil:
		return fmt.Errorf("internode-address: %q is not an IP address such as 127.0.0.1", c.InternodeAddress)
	case ip.IsUnspecified():
		return fmt.Errorf("internode-address: other nodes cannot be told to connect to %s. Give this machine's address with --internode-address", ip)
	case !ip.IsLoopback() && !c.Insecure && c.ClusterKeyFile == "":
		return fmt.Errorf("internode-address: %s is not a loopback address: without a key anybody who reaches it could join. Give all nodes one with --cluster-key-file, or allow that with --insecure", ip)
	}
	for _, a := range c.Join {
		if _, err := c.Seed(a); err != nil {
			return err
		}
	}
	return nil
}

// Internode is the IP address for other nodes.
func (c *Config) Internode() string { return cmp.Or(c.InternodeAddress, c.ListenAddress) }

// Seed is an address of Join as "ip:port".
func (c *Config) Seed(address string) (string, error) {
	if ip, err := netip.ParseAddr(address); err == nil {
		return netip.AddrPortFrom(ip, uint16(c.InternodePort)).String(), nil
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return "", fmt.Errorf("join: %q is not an address such as 10.0.0.1 or 10.0.0.1:7000", address)
	}
	return at.String(), nil
}

var units = []struct {
	name string
	n    int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

// parseSize reads a number of bytes: 1073741824, 512MiB, 2GiB, 1.5GB.
func parseSize(s string) (int64, error) {
	num, unit := strings.TrimSpace(s), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(num, u.name); ok {
			num, unit = strings.TrimSpace(rest), u.n
			break
		}
	}
	if n, err := strconv.ParseInt(num, 10, 64); err == nil && n >= 0 && n <= (1<<62)/unit {
		return n * unit, nil
	}
	f, err := strconv.ParseFloat(num, 64)
	if err != nil || f < 0 || f > float64(int64(1)<<62)/float64(unit) {
		return 0, fmt.Errorf("%q is not a size such as 512MiB or 2GiB", s)
	}
	return int64(f * float64(unit)), nil
}

// FormatSize writes n bytes with the largest binary unit that divides it.
func FormatSize(n int64) string {
	for _, u := range units[:4] {
		if n >= u.n && n%u.n == 0 {
			return strconv.FormatInt(n/u.n, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
