//go:build linux || darwin

package local

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// identify fills in what shows that another file, or other content, is in the same place.
func (s *stamp) identify(f *os.File) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false, fmt.Errorf("%s: %w", f.Name(), err)
	}
	s.Device, s.Inode, s.Changed = uint64(st.Dev), st.Ino, st.Ctim.Nano()
	return true, nil
}
