// Package ilion is a Cassandra-compatible, wide-column database inside a Go
// program: the engine and the language of the server without the network.
//
//	db, err := ilion.Open("data", nil)
//	err = db.Exec(ctx, "CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
//	app := db.Use("app")
//	err = app.Exec(ctx, "INSERT INTO users (id, name) VALUES (?, ?)", id, "Ann")
//	rows, err := app.Query(ctx, "SELECT name FROM users WHERE id = ?", id)
//	for rows.Next() {
//		err = rows.Scan(&name)
//	}
//	err = rows.Err()
//	err = db.Close()
//
// The directory is the same as that of `ilion serve` on a node that is alone and
// was given no other name of the cluster, data centre and rack than the default:
// either may open it, one at a time.
//
// # Values
//
// A Go value becomes a value of the marker's type, and back:
//
//	tinyint smallint int bigint counter  any integer that fits; int8, int16, int, int64
//	varint                               *big.Int, any integer
//	float double                         any float or integer; float32, float64
//	decimal                              its text
//	text ascii                           string
//	blob                                 []byte
//	boolean                              bool
//	uuid timeuuid                        UUID, [16]byte
//	timestamp date                       time.Time
//	time                                 time.Duration
//	duration                             Duration, time.Duration
//	inet                                 netip.Addr
//	list set vector                      slices; a set also a map by element
//	map                                  maps
//	tuple                                []any
//	user-defined types                   structs (`cql:"name"` tags), map[string]any
//
// A string stands for any type that is not compound, in the form that CQL
// writes it; nil, and nil pointers, slices and maps, are null. Rows.Scan takes
// pointers to the same, and to string for everything.
//
// # Concurrency
//
// DB and Stmt are safe for concurrent use, Rows are not.
//
// # What it does not do
//
// There are no connections: USE is refused, DB.Use stands for it. The database
// has no peers.
package ilion
