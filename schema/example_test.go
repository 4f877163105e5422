package schema_test

import (
	"fmt"

	"github.com/ilion-db/ilion/schema"
)

// A change makes a new snapshot; the old one stays as it was.
func ExampleSnapshot_Apply() {
	ks, err := schema.NewKeyspace("shop", schema.KeyspaceOptions{
		Replication: map[string]string{"class": "SimpleStrategy", "replication_factor": "3"},
	}, []string{"datacenter1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	before := schema.NewSnapshot()
	after, err := before.Apply(schema.Change{Kind: schema.CreateKeyspace, Keyspace: ks}, 1)
	fmt.Println(before.Keyspace("shop") != nil, after.Keyspace("shop") != nil, err)
	fmt.Println(after.Keyspace("shop").CreateStatement())
	// Output:
	// false true <nil>
	// CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '3'}  AND durable_writes = true;
}

// Comparable bytes sort as the values do, the other way round for DESC.
func ExampleType_AppendComparable() {
	for _, text := range []string{"-1", "0", "1"} {
		v, err := schema.TypeInt.ParseText(text)
		if err != nil {
			fmt.Println(err)
		}
		asc, _ := schema.TypeInt.AppendComparable(nil, v, false)
		desc, _ := schema.TypeInt.AppendComparable(nil, v, true)
		fmt.Printf("%2s %x %x\n", text, asc, desc)
	}
	// Output:
	// -1 7fffffff40 80000000bf
	//  0 8000000040 7fffffffbf
	//  1 8000000140 7ffffffebf
}
