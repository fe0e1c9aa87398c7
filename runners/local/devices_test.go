package local

import (
	"strings"
	"testing"
)

func TestDeviceList(t *testing.T) {
	for list, want := range map[string]string{
		"cpu": "cpu", "cpu,cpu": "cpu cpu", "ref, cpu": "ref cpu", "cuda": "cuda:0", "cuda:0,cuda:12": "cuda:0 cuda:12", "cuda,cuda:0": "cuda:0 cuda:0",
	} {
		if got, err := deviceList(list); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v, want %s", list, got, err, want)
		}
	}
	for list, named := range map[string]string{
		"": `""`, "cpu,": `""`, "gpu": `"gpu"`, "cpu,gpu": `"gpu"`, "cuda:-1": `"cuda:-1"`, "cuda:01": `"cuda:01"`, "cuda1": `"cuda1"`, "cuda:": `"cuda:"`,
	} {
		if got, err := deviceList(list); err == nil || !strings.Contains(err.Error(), "unknown device "+named) {
			t.Errorf("%q: %q, %v, want an error that names %s", list, got, err, named)
		}
	}
}
