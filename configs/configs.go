// Package configs reads presets: YAML files with a command of snapbench and its
// flags. It does not know what the flags mean.
//
//	command: needle
//	lengths: [1k, 2k, 4k]
//	budgets: [full, 128, 512]
//	kernels: 5
//
// [Names] lists the presets inside the program, and [Open] reads one of them or a
// file.
package configs

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/inputs/lookup"
)

//go:embed *.yaml
var presets embed.FS

// Preset is a command and its flags.
type Preset struct {
	Source  string // file or preset, for errors
	Command string
	Args    []string
	Flags   []Flag // in the order of the file
}

// Flag is one line of a preset.
type Flag struct {
	Name   string
	Values []string
	Line   int
}

// Names lists the presets inside the program.
func Names() []string {
	files, err := presets.ReadDir(".")
	if err != nil {
		panic(err) // embedded
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	sort.Strings(names)
	return names
}

// Open reads a file, or the preset of that name if there is no such file. A folder of
// that name, such as that of a run, does not count.
func Open(name string) (Preset, error) {
	info, err := os.Stat(name)
	if (errors.Is(err, os.ErrNotExist) || err == nil && info.IsDir()) && filepath.Base(name) == name {
		return Shipped(name)
	}
	data, err := bounds.ReadYAML(name)
	if err != nil {
		return Preset{}, err
	}
	return Parse(name, data)
}

// Shipped reads a preset inside the program.
func Shipped(name string) (Preset, error) {
	data, err := presets.ReadFile(strings.TrimSuffix(name, ".yaml") + ".yaml")
	if err != nil {
		return Preset{}, fmt.Errorf("%q is neither a file nor a preset: %shave %s", name, lookup.Offer(name, Names()), strings.Join(Names(), ", "))
	}
	return Parse("preset "+name, data)
}

// Parse reads a preset; source names it in errors.
func Parse(source string, data []byte) (_ Preset, err error) {
	p := Preset{Source: source}
	defer func() {
		if r := recover(); r != nil { // the YAML library on hostile input
			err = fmt.Errorf("%s: not readable as YAML: %v", source, r)
		}
	}()
	if err := bounds.CheckYAML(data); err != nil {
		return p, fmt.Errorf("%s%w", source, err)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return p, fmt.Errorf("%s: %w", source, err)
	}
	if len(file.Docs) != 1 || file.Docs[0] == nil || file.Docs[0].Body == nil {
		return p, fmt.Errorf("%s: want one document, a mapping of command and flags", source)
	}
	var pairs []*ast.MappingValueNode
	switch body := file.Docs[0].Body.(type) {
	case *ast.MappingNode:
		pairs = body.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{body}
	default:
		return p, fmt.Errorf("%s:%d: want a mapping of command and flags", source, line(body))
	}
	seen := map[string]bool{}
	for _, pair := range pairs {
		name := pair.Key.GetToken().Value
		at := line(pair.Key)
		if seen[name] {
			return p, fmt.Errorf("%s:%d: %q is there twice", source, at, name)
		}
		seen[name] = true
		values, err := scalars(pair.Value)
		if err != nil {
			return p, fmt.Errorf("%s:%d: %s: %w", source, at, name, err)
		}
		switch name {
		case "command":
			if len(values) != 1 {
				return p, fmt.Errorf("%s:%d: command: want one name", source, at)
			}
			p.Command = values[0]
		case "args":
			p.Args = values
		default:
			p.Flags = append(p.Flags, Flag{name, values, at})
		}
	}
	if p.Command == "" {
		return p, fmt.Errorf("%s: no command: say which, such as command: needle", source)
	}
	return p, nil
}

func line(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}

// scalars returns a value or a list of values as written in the file.
func scalars(n ast.Node) ([]string, error) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		s, err := scalar(n)
		return []string{s}, err
	}
	var out []string
	for _, v := range list.Values {
		s, err := scalar(v)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func scalar(n ast.Node) (string, error) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, nil
	case nil:
		return "", errors.New("no value")
	}
	return "", fmt.Errorf("want a value or a list of values, not %s", strings.ToLower(n.Type().String()))
}
