package models

import "fmt"

// layersOf says which layers are of a kind: those that layer_types names so, or by the family's rule where config.json has no
// such list.
func (raw RawConfig) layersOf(kind string, layers int, rule func(layer int) bool) ([]bool, error) {
	if len(raw.LayerTypes) > 0 && len(raw.LayerTypes) != layers {
		return nil, fmt.Errorf("layer_types has %d entries for %d layers", len(raw.LayerTypes), layers)
	}
	list := make([]bool, layers)
	for i := range list {
		if len(raw.LayerTypes) > 0 {
			list[i] = raw.LayerTypes[i] == kind
		} else {
			list[i] = rule(i)
		}
	}
	return list, nil
}

// slide gives layers with a sliding window theirs, which the file must have: those that layer_types names, or by the rule.
func (raw RawConfig) slide(c *Config, rule func(layer int) bool) error {
	sliding, err := raw.layersOf("sliding_attention", c.Layers, rule)
	for i, is := range sliding {
		switch {
		case !is:
		case raw.SlidingWindow == nil:
			return fmt.Errorf("layer %d has a sliding window, and sliding_window says of none", i)
		case *raw.SlidingWindow < 1:
			return fmt.Errorf("sliding_window is %d: want null or a number above 0", *raw.SlidingWindow)
		default:
			c.Windows[i] = *raw.SlidingWindow
		}
	}
	return err
}

// everyButNth is the rule of families in which every nth layer has full attention.
func everyButNth(n int) func(layer int) bool {
	return func(layer int) bool { return (layer+1)%n != 0 }
}
