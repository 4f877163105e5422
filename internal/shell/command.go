package shell

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// commands are the words that the shell itself understands. They end with the line; a `;` is allowed.
var commands = []string{"HELP", "EXIT", "QUIT", "CONSISTENCY", "SERIAL", "PAGING", "EXPAND", "TRACING", "SOURCE", "SHOW", "CLEAR",
	"CLS", "CAPTURE", "COPY", "LOGIN"}

var commandPattern = regexp.MustCompile(`^(?:\s|--[^\n]*\n|//[^\n]*\n)*((?i:\?|(?:` + strings.Join(commands, "|") +
	`)\b|DESC(?:RIBE)?[ \t]+[^\s;])[^\n;]*[;\n]?)`)

// describePattern is a DESCRIBE: a statement for the server that ends with the line like a shell command, as cqlsh has it.
var describePattern = regexp.MustCompile(`^(?i:DESC(?:RIBE)?)\s`)

// firstCommand gives the shell command or DESCRIBE that text begins with, up to the end of its line, or "".
func firstCommand(text string) string {
	m := commandPattern.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return m[1]
}

// command runs one shell command.
func (sh *shell) command(ctx context.Context, line string) {
	words := strings.Fields(line)
	arg := strings.ToUpper(strings.Join(words[1:], " "))
	switch strings.ToUpper(words[0]) {
	case "HELP", "?":
		fmt.Fprint(sh.out, helpFor(strings.ToUpper(arg)))
	case "EXIT", "QUIT":
		sh.quit = true
	case "CONSISTENCY":
		sh.level(&sh.consistency, "consistency", arg)
	case "SERIAL":
		sh.serialLevel(arg)
	case "PAGING":
		sh.setPaging(arg)
	case "EXPAND":
		sh.setExpand(arg)
	case "TRACING":
		sh.tracing(arg)
	case "SOURCE":
		sh.sourceCommand(ctx, line)
	case "SHOW":
		sh.show(ctx, arg)
	case "CLEAR", "CLS":
		fmt.Fprint(sh.out, "\x1b[2J\x1b[H")
	default:
		sh.fail("", fmt.Errorf("%s is not offered by this shell", strings.ToUpper(words[0])))
	}
}

func (sh *shell) level(setting *string, name, arg string) {
	switch {
	case arg == "":
		fmt.Fprintf(sh.out, "Current %s level is %s.\n", name, *setting)
	case !isConsistency(arg):
		sh.fail("", fmt.Errorf("%q is no consistency level: %s", arg, strings.Join(consistencies, ", ")))
	default:
		*setting = arg
		fmt.Fprintf(sh.out, "%s level set to %s.\n", strings.ToUpper(name[:1])+name[1:], arg)
	}
}

func (sh *shell) serialLevel(arg string) {
	arg, ok := strings.CutPrefix(arg, "CONSISTENCY")
	arg = strings.TrimSpace(arg)
	switch {
	case !ok:
		sh.fail("", fmt.Errorf("SERIAL CONSISTENCY [level] is what there is"))
	case arg != "" && arg != "SERIAL" && arg != "LOCAL_SERIAL":
		sh.fail("", fmt.Errorf("%q is no serial consistency level: SERIAL, LOCAL_SERIAL", arg))
	default:
		sh.level(&sh.serial, "serial consistency", arg)
	}
}

func (sh *shell) setPaging(arg string) {
	n, err := strconv.Atoi(arg)
	switch {
	case arg == "" && sh.paging:
		fmt.Fprintf(sh.out, "Query paging is currently enabled. Use PAGING OFF to disable\nPage size: %d\n", sh.pageSize)
	case arg == "":
		fmt.Fprintln(sh.out, "Query paging is currently disabled. Use PAGING ON to enable.")
	case arg == "OFF":
		sh.paging = false
		fmt.Fprintln(sh.out, "Disabled Query paging.")
	case arg == "ON" || err == nil && n > 0 && n <= 1<<20:
		sh.paging = true
		if err == nil {
			sh.pageSize = n
		}
		fmt.Fprintf(sh.out, "Now Query paging is enabled\nPage size: %d\n", sh.pageSize)
	default:
		sh.fail("", fmt.Errorf("PAGING takes ON, OFF or a number of rows"))
	}
}

func (sh *shell) setExpand(arg string) {
	state := func(on bool) string {
		if on {
			return "enabled. Use EXPAND OFF to disable"
		}
		return "disabled. Use EXPAND ON to enable."
	}
	switch arg {
	case "":
		fmt.Fprintf(sh.out, "Expanded output is currently %s\n", state(sh.expand))
	case "ON":
		sh.expand = true
		fmt.Fprintln(sh.out, "Now Expanded output is enabled")
	case "OFF":
		sh.expand = false
		fmt.Fprintln(sh.out, "Disabled Expanded output.")
	default:
		sh.fail("", fmt.Errorf("EXPAND takes ON or OFF"))
	}
}

func (sh *shell) tracing(arg string) {
	switch arg {
	case "", "OFF":
		fmt.Fprintln(sh.out, "Tracing is off.")
	default:
		sh.fail("", fmt.Errorf("tracing is not offered by this shell yet"))
	}
}

var sourcePattern = regexp.MustCompile(`(?i)^source\s+(?:'([^']*)'|"([^"]*)"|(\S+))$`)

func (sh *shell) sourceCommand(ctx context.Context, line string) {
	m := sourcePattern.FindStringSubmatch(line)
	if m == nil {
		sh.fail("", fmt.Errorf("SOURCE takes the name of a file between single quotes"))
		return
	}
	sh.source(ctx, m[1]+m[2]+m[3])
}

// server is what the shell tells about the server that it talks to.
type server struct{ cluster, release, cqlVersion, protocol string }

func (sh *shell) server(ctx context.Context) (server, error) {
	res, err := sh.execute(ctx, Request{Statement: "SELECT cluster_name, release_version, cql_version, native_protocol_version " +
		"FROM system.local WHERE key = 'local'", Consistency: "ONE"})
	if err != nil {
		return server{}, err
	}
	if len(res.Rows) != 1 || len(res.Rows[0]) != 4 {
		return server{}, fmt.Errorf("system.local has no row")
	}
	r := res.Rows[0]
	return server{string(r[0]), string(r[1]), string(r[2]), string(r[3])}, nil
}

func (sh *shell) show(ctx context.Context, arg string) {
	if arg != "VERSION" && arg != "HOST" {
		sh.fail("", fmt.Errorf("SHOW VERSION and SHOW HOST are what there is; DESCRIBE TABLES and DESCRIBE KEYSPACES list the schema"))
		return
	}
	s, err := sh.server(ctx)
	if err != nil {
		sh.fail("", err)
		return
	}
	if arg == "VERSION" {
		fmt.Fprintln(sh.out, s.version())
		return
	}
	fmt.Fprintf(sh.out, "Connected to %s at %s:%d\n", s.cluster, sh.cfg.Host, sh.cfg.Port)
}

func (s server) version() string {
	return fmt.Sprintf("[ilion cql | Cassandra %s | CQL spec %s | Native protocol v%s]", s.release, s.cqlVersion, s.protocol)
}

const helpText = `
Shell commands (they end with the line):
  HELP [word]                this text, or one line about a word
  EXIT, QUIT                 leave
  CONSISTENCY [level]        show or set the consistency level
  SERIAL CONSISTENCY [level] show or set that of conditional writes
  PAGING [ON|OFF|rows]       show or set the page size
  EXPAND [ON|OFF]            one line per column
  SOURCE 'file'              run a script
  SHOW VERSION | HOST        what the shell talks to
  TRACING OFF, CLEAR

CQL (ends with ;):
  USE  SELECT  INSERT  UPDATE  DELETE  BEGIN BATCH  TRUNCATE
  CREATE | ALTER | DROP  KEYSPACE TABLE TYPE
  DESCRIBE KEYSPACES | TABLES | KEYSPACE ks | TABLE t | CLUSTER ...

`

// topics are the words that HELP knows.
var topics = map[string]string{
	"SELECT":      "SELECT a, b FROM ks.t WHERE key = 1 AND ck > 2 ORDER BY ck DESC LIMIT 10;",
	"INSERT":      "INSERT INTO t (a, b) VALUES (1, 'x') USING TTL 60;",
	"UPDATE":      "UPDATE t USING TTL 60 SET b = 'y', list = list + [1] WHERE a = 1;",
	"DELETE":      "DELETE b FROM t WHERE a = 1;",
	"BATCH":       "BEGIN BATCH INSERT ...; UPDATE ...; APPLY BATCH;",
	"CREATE":      "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};  CREATE TABLE t (a int, b text, PRIMARY KEY (a, b));",
	"USE":         "USE ks;",
	"DESCRIBE":    "DESCRIBE KEYSPACES | TABLES | CLUSTER | [FULL] SCHEMA | KEYSPACE ks | TABLE t | TYPE u;",
	"CONSISTENCY": "CONSISTENCY ANY | ONE | TWO | THREE | QUORUM | ALL | LOCAL_QUORUM | EACH_QUORUM | LOCAL_ONE | SERIAL | LOCAL_SERIAL",
}

func helpFor(word string) string {
	word = strings.TrimSpace(word)
	if word == "" {
		return helpText
	}
	if t, ok := topics[word]; ok {
		return t + "\n"
	}
	return "Nothing is written about " + word + ".\n" + helpText
}
