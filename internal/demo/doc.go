// Package demo runs a throw-away cluster on this machine: real processes of the
// same binary on the addresses 127.0.0.1, 127.0.0.2, ..., sample data and a
// small load. It is a client of them only.
//
//	err := demo.Run(ctx, demo.Config{Nodes: 3, Datacenters: 1, Rate: 200, Rows: 1000, Out: os.Stdout})
//
// Run ends with its context: the processes are stopped and their directory is
// removed. A node that ends by itself, or is killed, is started again after a
// while on the data it had, so that one can watch it being missed and coming
// back.
//
// Each process has a goroutine that waits for it; the load has a fixed number
// of workers. All have ended when Run returns.
package demo
