package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Paths of what the commands ask for. Answers are the JSON of Status, Ring,
// Info, Description, Gossip and Endpoints; errors are a line of text.
const (
	StatusPath    = "/api/v1/status"          // keyspace
	RingPath      = "/api/v1/ring"            // keyspace
	InfoPath      = "/api/v1/info"            // nothing
	DescribePath  = "/api/v1/describecluster" // nothing
	GossipPath    = "/api/v1/gossipinfo"      // nothing
	EndpointsPath = "/api/v1/getendpoints"    // keyspace, table, key
)

func (c *Config) handleCommands(mux *http.ServeMux) {
	handle := func(path string, answer func(url.Values) (any, error)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			v, err := answer(r.URL.Query())
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(v) // its error is the client's, who has gone
		})
	}
	handle(StatusPath, func(q url.Values) (any, error) { return c.View().status(q.Get("keyspace")) })
	handle(RingPath, func(q url.Values) (any, error) { return c.View().ring(q.Get("keyspace")) })
	handle(InfoPath, func(url.Values) (any, error) { return c.Info(), nil })
	handle(DescribePath, func(url.Values) (any, error) { return c.View().describe(), nil })
	handle(GossipPath, func(url.Values) (any, error) { return c.View().gossip(), nil })
	handle(EndpointsPath, func(q url.Values) (any, error) {
		return c.View().endpoints(q.Get("keyspace"), q.Get("table"), q.Get("key"))
	})
}

// maxAnswer bounds what Get reads: the ring of a thousand nodes is 20 MB.
const maxAnswer = 64 << 20

// Get asks the server at address, "host:port", for a path and decodes its
// answer into out. The error of the server comes as it wrote it.
func Get(ctx context.Context, address, path string, query url.Values, out any) error {
	return ask(ctx, http.MethodGet, address, path, query, out)
}

// Post is Get for what changes something.
func Post(ctx context.Context, address, path string, query url.Values, out any) error {
	return ask(ctx, http.MethodPost, address, path, query, out)
}

func ask(ctx context.Context, method, address, path string, query url.Values, out any) error {
	u := url.URL{Scheme: "http", Host: address, Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no answer from a node at %s: %w", address, errors.Unwrap(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the answer of %s broke off: %w", address, err)
	}
	if res.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(body)))
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%s does not answer as a node does: %w", address, err)
	}
	return nil
}
