package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config is what the server tells about.
type Config struct {
	// Ready is nil while the node serves, or why it does not.
	Ready func() error
	// Metrics are the node's collectors.
	Metrics []prometheus.Collector
	// Version is shown by /healthz.
	Version string
	// View is what the node knows of its cluster, Info what it knows of itself.
	View func() *View
	Info func() *Info
	// Store is what is done with its table files.
	Store Store
}

// Server answers HTTP on one listener.
type Server struct {
	http *http.Server
	addr net.Addr
	done chan struct{}
}

// Limits on a client of this port.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	maxHeader     = 64 << 10
)

// Serve starts answering on l, which the server owns from now on.
func Serve(l net.Listener, c Config) (*Server, error) {
	h, err := handler(c)
	if err != nil {
		return nil, err
	}
	s := &Server{
		http: &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, MaxHeaderBytes: maxHeader},
		addr: l.Addr(),
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		s.http.Serve(l) // its error is ErrServerClosed, or the listener's end
	}()
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.addr }

// Close lets running requests finish until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = s.http.Close()
	}
	<-s.done
	return err
}

func handler(c Config) (http.Handler, error) {
	reg := prometheus.NewRegistry()
	all := append([]prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}, c.Metrics...)
	for _, m := range all {
		if err := reg.Register(m); err != nil {
			return nil, fmt.Errorf("admin: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "ok %s\n", c.Version)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := c.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	c.handleCommands(mux)
	c.handleStore(mux)
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	debug := http.NewServeMux()
	debug.HandleFunc("/debug/pprof/", pprof.Index)
	debug.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	debug.HandleFunc("/debug/pprof/profile", pprof.Profile)
	debug.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	debug.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("/debug/pprof/", sameMachine("profiles", debug))
	return mux, nil
}

// sameMachine refuses clients from other machines: those whose address is
// neither a loopback one nor the one that they have reached.
func sameMachine(what string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := addressOf(r.RemoteAddr)
		here, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if !from.IsLoopback() && (here == nil || !from.IsValid() || from != addressOf(here.String())) {
			http.Error(w, what+" are for clients on the node's own machine", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// byAddress refuses requests that call the node by another name than localhost:
// whoever serves a page can make its own name lead to this machine, and the
// page is then of the same origin.
func byAddress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil && !strings.EqualFold(host, "localhost") {
			http.Error(w, fmt.Sprintf("the node is called by an IP address or localhost for changes, not by %q", host), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// addressOf is the address in "address:port", invalid if it is none.
func addressOf(s string) netip.Addr {
	p, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}
