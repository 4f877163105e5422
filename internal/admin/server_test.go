package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestEndpoints(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "ilion_test", Help: "x"})
	g.Set(7)
	var notReady error
	s, err := Serve(l, Config{Ready: func() error { return notReady }, Metrics: []prometheus.Collector{g}, Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	get := func(path string) (int, string) {
		r, err := http.Get("http://" + s.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(b)
	}
	for path, want := range map[string]string{"/healthz": "ok v1", "/readyz": "ready", "/metrics": "ilion_test 7", "/debug/pprof/cmdline": ""} {
		if code, body := get(path); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %q", path, code, body)
		}
	}
	notReady = errors.New("draining")
	if code, body := get("/readyz"); code != 503 || !strings.Contains(body, "draining") {
		t.Errorf("%d %q", code, body)
	}
}

// Profiles are for clients on the machine, by a loopback address or its own.
func TestProfilesAreForTheMachineOnly(t *testing.T) {
	h, err := handler(Config{})
	if err != nil {
		t.Fatal(err)
	}
	here := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 9180}
	for from, want := range map[string]int{
		"192.0.2.1:1": http.StatusForbidden, "192.0.2.7:1": http.StatusOK, "127.0.0.9:1": http.StatusOK, "[::1]:1": http.StatusOK, "[::ffff:127.0.0.1]:1": http.StatusOK,
		"@": http.StatusForbidden, "": http.StatusForbidden,
	} {
		r := httptest.NewRequest("GET", "/debug/pprof/cmdline", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, here))
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("from %q: %d, want %d", from, w.Code, want)
		}
	}
}
