package kubernetes

import (
	"fmt"
	"strconv"
	"strings"
)

// deviceOf returns what a command's --device says, "auto" where it says nothing.
func deviceOf(arguments []string) string {
	device := "auto"
	for i, a := range arguments {
		if a == "--" {
			break
		}
		if value, ok := strings.CutPrefix(a, "--device="); ok {
			device = value
		} else if a == "--device" && i+1 < len(arguments) {
			device = arguments[i+1]
		}
	}
	return device
}

// gpusOf returns how many GPUs a pod needs for a device. Those that a pod is given are
// counted from 0 inside it, whichever of the node's they are, so cuda:2 needs three. auto
// gets none: a GPU that is asked for and not used is one that others wait for.
func gpusOf(device string) (int, error) {
	most := 0
	for name := range strings.SplitSeq(device, ",") {
		name = strings.TrimSpace(name)
		switch index, isCard := strings.CutPrefix(name, "cuda:"); {
		case name == "cuda":
			most = max(most, 1)
		case name == "cuda:all":
			return 0, fmt.Errorf("--device %s: on Kubernetes a pod has the GPUs that it asks for: say how many by the engine argument --gpus=N", device)
		case isCard:
			n, err := strconv.Atoi(index)
			if err != nil || n < 0 {
				return 0, fmt.Errorf("--device %q: want cuda:N, N a card's number", name)
			}
			most = max(most, n+1)
		}
	}
	return most, nil
}
