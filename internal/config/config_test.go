package config

import (
	"strings"
	"testing"
	"time"
)

func TestPrecedenceAndSources(t *testing.T) {
	c := Default()
	if err := c.ApplyYAML("x.yaml", []byte("native_port: 1\nmemory: 512MiB\ncluster_name: \"A B\"\n# c\nset_aside: [a, b]\ncommitlog_sync_period: 20ms\n")); err != nil {
		t.Fatal(err)
	}
	if c.NativePort != 1 || c.Memory != 512<<20 || c.ClusterName != "A B" || len(c.SetAside) != 2 || c.CommitlogSyncPeriod != 20*time.Millisecond {
		t.Fatalf("%+v", c)
	}
	env := map[string]string{"ILION_NATIVE_PORT": "2", "ILION_INSECURE": "true"}
	if err := c.ApplyEnv(func(k string) (string, bool) { v, ok := env[k]; return v, ok }); err != nil {
		t.Fatal(err)
	}
	if c.NativePort != 2 || !c.Insecure || c.Memory != 512<<20 {
		t.Fatalf("%+v", c)
	}
}

func TestErrorsNameTheirPlace(t *testing.T) {
	for in, want := range map[string]string{
		"native_port: 9042\nnativ: 1\n": "x.yaml:2: unknown key \"nativ\"",
		"dc: a\ndc: b\n":                "already defined",
		"memory: many\n":                "x.yaml:1: memory: \"many\" is not a size",
		"native_port: 70000\n":          "is not a port",
		"commitlog_sync: often\n":       "is not one of batch, group, periodic",
		"dc: {a: b}\n":                  "x.yaml:1",
		"dc: [\n":                       "x.yaml",
		"data_dir=/data\n":              "x.yaml:1: expects keys and values",
		"# c\n- dc\n":                   "x.yaml:2: expects keys and values",
		"dc: a\nrack:\n":                "x.yaml:2: rack: has no value",
	} {
		c := Default()
		err := c.ApplyYAML("x.yaml", []byte(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
	for _, in := range []string{"", "# nothing yet\n", "---\n", "{}\n"} {
		c := Default()
		if err := c.ApplyYAML("x.yaml", []byte(in)); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
	c := Default()
	err := c.ApplyEnv(func(k string) (string, bool) { return "x", k == "ILION_HTTP_PORT" })
	if err == nil || !strings.Contains(err.Error(), "ILION_HTTP_PORT") {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	c.ListenAddress = "0.0.0.0"
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "--insecure") {
		t.Error(err)
	}
	c.Insecure = true
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "--internode-address") {
		t.Errorf("nobody can connect to 0.0.0.0: %v", err)
	}
	c.InternodeAddress = "192.0.2.1"
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.Memory = 1 << 20
	if err := c.Validate(); err == nil {
		t.Error("1 MiB of memory accepted")
	}
}

// A node can be held at a level that it knows.
func TestFormatLevel(t *testing.T) {
	c := Default()
	env := func(v string) error {
		return c.ApplyEnv(func(k string) (string, bool) { return v, k == "ILION_FORMAT_LEVEL" })
	}
	if err := env("1"); err != nil || c.FormatLevel != 1 || c.Validate() != nil {
		t.Errorf("1: %d, %v", c.FormatLevel, err)
	}
	for _, bad := range []string{"0", "-1", "9999", "newest", ""} {
		if env(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if err := env("latest"); err != nil || c.FormatLevel != 0 || c.Validate() != nil {
		t.Errorf("latest: %d, %v", c.FormatLevel, err)
	}
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]int64{"1": 1, "2GiB": 2 << 30, "1.5GB": 15e8, "64 KiB": 64 << 10} {
		if n, err := parseSize(in); err != nil || n != want {
			t.Errorf("%s: %d, %v", in, n, err)
		}
	}
	for _, in := range []string{"", "x", "-1", "1e30GiB", "9999999999999999999"} {
		if n, err := parseSize(in); err == nil {
			t.Errorf("%q: %d", in, n)
		}
	}
	if s := FormatSize(3 << 20); s != "3MiB" {
		t.Error(s)
	}
}

func TestInternodeAddress(t *testing.T) {
	c := Default()
	if c.Internode() != "127.0.0.1" {
		t.Errorf("other nodes are served on %s", c.Internode())
	}
	c.InternodeAddress = "192.0.2.1"
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "--cluster-key-file") {
		t.Errorf("without a key: %v", err)
	}
	c.ClusterKeyFile = "key"
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.InternodeAddress = "here"
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "not an IP address") {
		t.Error(err)
	}
}

func TestSeeds(t *testing.T) {
	c := Default()
	for in, want := range map[string]string{"10.0.0.1": "10.0.0.1:7000", "10.0.0.1:7001": "10.0.0.1:7001", "::1": "[::1]:7000", "[::1]:1": "[::1]:1"} {
		if got, err := c.Seed(in); err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	c.Join = []string{"10.0.0.1", "seed"}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), `"seed" is not an address`) {
		t.Error(err)
	}
	// A flag takes the place of what the environment has told.
	if err := c.ApplyEnv(func(k string) (string, bool) { return "10.0.0.2, 10.0.0.3", k == "ILION_JOIN" }); err != nil || len(c.Join) != 2 || c.Join[0] != "10.0.0.2" {
		t.Errorf("%v, %v", c.Join, err)
	}
	c.NumTokens = 0
	if c.Join = nil; c.Validate() == nil {
		t.Error("a node without tokens is taken")
	}
}
