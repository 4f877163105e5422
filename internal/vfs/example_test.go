package vfs_test

import (
	"fmt"

	"github.com/ilion-db/ilion/internal/vfs"
)

// What was not synced may be gone after a power cut.
func ExampleMem_CrashClone() {
	disk := vfs.NewMem()
	if err := vfs.WriteFileAtomic(disk, "/current", []byte("one")); err != nil {
		fmt.Println(err)
	}
	f, err := disk.OpenRW("/current", vfs.OpenOptions{})
	if err != nil {
		fmt.Println(err)
	}
	if _, err := f.WriteAt([]byte("two"), 0); err != nil {
		fmt.Println(err)
	}
	for _, keep := range []int{0, 100} {
		after, err := vfs.ReadFile(disk.CrashClone(vfs.CrashOptions{Keep: keep}), "/current", 100)
		fmt.Printf("%d %%: %s %v\n", keep, after, err)
	}
	// Output:
	// 0 %: one <nil>
	// 100 %: two <nil>
}

// A fault is tried at every call that a piece of work makes.
func ExampleFault() {
	work := func(fs vfs.FS) error { return vfs.WriteFileAtomic(fs, "/f", []byte("x")) }
	count := vfs.NewFault(vfs.NewMem(), nil)
	calls := count.Add(vfs.Rule{Ops: vfs.WriteSide})
	fmt.Println(work(count))
	// The first call removes what an earlier crash may have left.
	for nth := 2; nth <= calls.Seen(); nth++ {
		f := vfs.NewFault(vfs.NewMem(), nil)
		f.Add(vfs.Rule{Ops: vfs.WriteSide, Nth: nth, Err: vfs.ErrNoSpace})
		fmt.Println(work(f))
	}
	// Output:
	// <nil>
	// create /f.tmp: no space left on device
	// write /f.tmp: no space left on device
	// sync /f.tmp: no space left on device
	// rename /f.tmp to /f: no space left on device
	// sync directory /: no space left on device
}
