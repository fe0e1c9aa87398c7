package kubernetes

import (
	"fmt"
	"syscall"
	"testing"
)

// A Ctrl-C in the terminal does not reach kubectl: what it creates would not be known.
func TestKubectlIsApart(t *testing.T) {
	fakeKubectl(t, `cat >/dev/null; set -- $(cat /proc/$$/stat); echo "team/$5"`)
	id, err := engine{}.Submit(t.Context(), large())
	if err != nil || id == fmt.Sprint("team/", syscall.Getpgrp()) {
		t.Errorf("kubectl is in the process group %s, as this program is: %v", id, err)
	}
}
