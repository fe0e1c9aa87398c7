package hub

import "context"

// Lock waits until no other process of this machine has the lock that a file stands for,
// and takes it. waiting is called once where another has it. The system drops the lock with
// the process; the file stays, since others may be waiting for it.
func Lock(ctx context.Context, path string, waiting func()) (release func(), err error) {
	l, err := acquire(ctx, path, waiting)
	if err != nil {
		return nil, err
	}
	return l.release, nil
}
