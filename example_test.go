package ilion_test

import (
	"context"
	"fmt"
	"log"
	"os"

	ilion "github.com/ilion-db/ilion"
)

func Example() {
	dir, err := os.MkdirTemp("", "ilion")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := ilion.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	for _, cql := range []string{
		"CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TABLE app.readings (sensor text, at int, celsius double, PRIMARY KEY (sensor, at))",
	} {
		if err := db.Exec(ctx, cql); err != nil {
			log.Fatal(err)
		}
	}
	app := db.Use("app")
	insert := app.Prepare("INSERT INTO readings (sensor, at, celsius) VALUES (?, ?, ?)")
	for i := range 3 {
		if err := insert.Exec(ctx, "kitchen", i, 20+0.5*float64(i)); err != nil {
			log.Fatal(err)
		}
	}
	rows, err := app.Query(ctx, "SELECT at, celsius FROM readings WHERE sensor = ? ORDER BY at DESC", "kitchen")
	if err != nil {
		log.Fatal(err)
	}
	for rows.Next() {
		var at int
		var celsius float64
		if err := rows.Scan(&at, &celsius); err != nil {
			log.Fatal(err)
		}
		fmt.Println(at, celsius)
	}
	if err := rows.Err(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 2 21
	// 1 20.5
	// 0 20
}
