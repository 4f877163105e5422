package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// ApplyEnv sets what the environment tells. lookup is os.LookupEnv.
func (c *Config) ApplyEnv(lookup func(string) (string, bool)) error {
	for _, s := range Settings() {
		v, ok := lookup(s.Env())
		if !ok {
			continue
		}
		if err := s.set(c, v); err != nil {
			return fmt.Errorf("environment variable %s: %w", s.Env(), err)
		}
	}
	return nil
}

// ApplyYAML sets what a YAML file tells. Its keys are the settings' with
// underscores; an unknown or repeated one is an error with its line.
func (c *Config) ApplyYAML(name string, data []byte) error {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return fmt.Errorf("%s: %s", name, strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	byKey := map[string]*Setting{}
	for _, s := range Settings() {
		byKey[s.Key()] = s
	}
	seen := map[string]bool{}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		settings, ok := pairs(doc.Body)
		if !ok {
			return fmt.Errorf("%s:%d: expects keys and values such as data_dir: /var/lib/ilion", name, doc.Body.GetToken().Position.Line)
		}
		for _, kv := range settings {
			line := kv.Key.GetToken().Position.Line
			key := kv.Key.GetToken().Value
			s := byKey[key]
			switch {
			case s == nil:
				return fmt.Errorf("%s:%d: unknown key %q", name, line, key)
			case seen[key]:
				return fmt.Errorf("%s:%d: key %q is given twice", name, line, key)
			}
			seen[key] = true
			value, err := scalar(kv.Value)
			if err == nil {
				err = s.set(c, value)
			}
			if err != nil {
				return fmt.Errorf("%s:%d: %s: %w", name, line, key, err)
			}
		}
	}
	return nil
}

// pairs are the keys and values of a document, unless it is something else. One
// of nothing but comments has none.
func pairs(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	case *ast.NullNode, *ast.CommentGroupNode:
		return nil, true
	}
	return nil, false
}

func scalar(n ast.Node) (string, error) {
	switch n := n.(type) {
	case *ast.SequenceNode:
		var all []string
		for _, v := range n.Values {
			one, err := scalar(v)
			if err != nil {
				return "", err
			}
			all = append(all, one)
		}
		return strings.Join(all, ","), nil
	case *ast.MappingNode, *ast.MappingValueNode:
		return "", errors.New("expects a value, not a mapping")
	case *ast.NullNode:
		return "", errors.New("has no value; leave the key out for the default")
	}
	return n.GetToken().Value, nil
}
