package kubernetes

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// options are the engine's own arguments. What they lack, a person adds to the printed
// manifest.
type options struct {
	context, namespace string
	cpu, memory        string
	gpus               int // -1: as the command's --device says
	nodes              []pair
	env                []pair
	secrets            []string
	user, group        int64 // -1: the image's
}

// pair is NAME=VALUE.
type pair struct{ Name, Value string }

func parseOptions(args []string) (options, error) {
	o := options{gpus: -1, user: -1, group: -1}
	s := pflag.NewFlagSet("kubernetes", pflag.ContinueOnError)
	s.SetOutput(io.Discard)
	s.Usage = func() {}
	s.SortFlags = false
	var env, nodes []string
	var user string
	s.StringVar(&o.context, "context", "", "of the kubectl configuration")
	s.StringVar(&o.namespace, "namespace", "", "of the Job and the claim")
	s.StringVar(&o.cpu, "cpu", "", "cores of a pod")
	s.StringVar(&o.memory, "memory", "", "memory of a pod")
	s.IntVar(&o.gpus, "gpus", -1, "GPUs of a pod")
	s.StringArrayVar(&nodes, "node-selector", nil, "LABEL=VALUE that a node must have")
	s.StringArrayVar(&env, "env", nil, "NAME=VALUE for the program")
	s.StringArrayVar(&o.secrets, "secret", nil, "secret whose keys become variables of the program")
	s.StringVar(&user, "user", "", "UID[:GID] of the program")
	if err := s.Parse(args); err != nil {
		var names []string
		s.VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		return o, fmt.Errorf("engine arguments of kubernetes: %w: have %s; for anything else, edit what --print prints", err, strings.Join(names, ", "))
	}
	if s.NArg() > 0 {
		return o, fmt.Errorf("engine arguments of kubernetes: %q: want --NAME=VALUE", s.Arg(0))
	}
	if s.Changed("gpus") && o.gpus < 0 {
		return o, fmt.Errorf("engine arguments of kubernetes: --gpus=%d: want 0 or more", o.gpus)
	}
	var err error
	if o.nodes, err = pairs("node-selector", nodes); err != nil {
		return o, err
	}
	if o.env, err = pairs("env", env); err != nil {
		return o, err
	}
	if s.Changed("user") {
		if o.user, o.group, err = parseUser(user); err != nil {
			return o, fmt.Errorf("engine arguments of kubernetes: --user=%q: %w", user, err)
		}
	}
	return o, nil
}

func pairs(flag string, texts []string) (list []pair, err error) {
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("engine arguments of kubernetes: --%s=%q: want NAME=VALUE", flag, text)
		}
		list = append(list, pair{name, value})
	}
	return list, nil
}

func parseUser(text string) (user, group int64, err error) {
	u, g, both := strings.Cut(text, ":")
	user, err = strconv.ParseInt(u, 10, 32)
	group = -1
	if err == nil && both {
		group, err = strconv.ParseInt(g, 10, 32)
	}
	if err != nil || user < 0 || both && group < 0 {
		return 0, 0, errors.New("want UID or UID:GID, in numbers")
	}
	return user, group, nil
}

func (o options) kubectl() kubectl {
	var k kubectl
	if o.context != "" {
		k.flags = append(k.flags, "--context="+o.context)
	}
	if o.namespace != "" {
		k.flags = append(k.flags, "--namespace="+o.namespace)
	}
	return k
}
