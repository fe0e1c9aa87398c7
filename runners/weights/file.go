package weights

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/inputs"
)

// ErrAbsent is wrapped by the error for a tensor or a metadata key that the
// file does not have.
var ErrAbsent = errors.New("absent")

// File is an open model file, or the shards of one model. It is safe for
// concurrent use. Its tensors must not be used after Close.
type File struct {
	path     string
	names    []string
	tensors  map[string]*Tensor
	metadata Metadata
	total    int64
	mappings []*mapping
}

// Open opens a Hugging Face directory, a .gguf file or a .safetensors file. It
// recognises the format of a file by its content.
func Open(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return OpenDir(path)
	}
	f, err := inputs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err == nil && string(magic[:]) == ggufMagic {
		return OpenGGUF(path)
	}
	return OpenSafetensors(path)
}

// OpenDir opens the safetensors of a Hugging Face directory:
// model.safetensors if it is there, else the shards that
// model.safetensors.index.json names.
func OpenDir(dir string) (*File, error) {
	path, indexed, err := dirEntry(dir)
	switch {
	case err != nil:
		return nil, err
	case indexed:
		return openIndex(path)
	}
	return OpenSafetensors(path)
}

// DirFiles returns the paths of the files that OpenDir reads: one file of
// weights, or the index and then its shards in sorted order. It does not check
// the weights.
func DirFiles(dir string) ([]string, error) {
	path, indexed, err := dirEntry(dir)
	if err != nil {
		return nil, err
	}
	paths := []string{path}
	if indexed {
		shards, _, err := readIndex(path)
		if err != nil {
			return nil, err
		}
		for _, shard := range shards {
			at := filepath.Join(dir, shard)
			if err := inputs.Check(at); err != nil {
				return nil, fmt.Errorf("%s: shard %q: %w", path, shard, err)
			}
			paths = append(paths, at)
		}
	}
	return paths, nil
}

// dirEntry returns the path of a directory's weights, and whether that file is
// an index of shards.
func dirEntry(dir string) (path string, indexed bool, err error) {
	for _, name := range []string{"model.safetensors", "model.safetensors.index.json"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, filepath.Ext(name) == ".json", nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", false, err
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", false, err
	}
	var have []string
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".safetensors", ".gguf", ".bin", ".pt", ".pth":
			have = append(have, e.Name())
		}
	}
	if len(have) == 0 {
		return "", false, fmt.Errorf("%s: has neither model.safetensors nor model.safetensors.index.json, nor any other model file", dir)
	}
	return "", false, fmt.Errorf("%s: has neither model.safetensors nor model.safetensors.index.json; it has %s", dir, listSome(have))
}

// Path is the path of the file, or of the index of the shards.
func (f *File) Path() string { return f.path }

// Names returns the tensors' names, shard by shard, in the order of their data.
func (f *File) Names() []string { return slices.Clone(f.names) }

// TotalBytes is the sum of the tensors' bytes, headers and padding excluded.
func (f *File) TotalBytes() int64 { return f.total }

// Metadata is the header's other content: the key-value pairs of a GGUF file, or
// the strings under __metadata__ of a safetensors file (of the first shard).
func (f *File) Metadata() Metadata { return f.metadata }

// Has reports whether there is a tensor of that name.
func (f *File) Has(name string) bool { return f.tensors[name] != nil }

// Tensor returns a tensor of any type. An absent one is an error that wraps
// ErrAbsent.
func (f *File) Tensor(name string) (*Tensor, error) {
	if t := f.tensors[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%s: no tensor %q%s: %w", f.path, name, f.similar(name), ErrAbsent)
}

// Weight returns a tensor that can be read as float32 and has exactly this
// shape. Otherwise the error says what the file has.
func (f *File) Weight(name string, shape ...int) (*Tensor, error) {
	t, err := f.Tensor(name)
	if err != nil {
		return nil, err
	}
	if !t.layout.weight {
		return nil, t.notWeight()
	}
	if !slices.Equal(t.shape, shape) {
		return nil, fmt.Errorf("%s: tensor %q has shape %v, want %v", t.file, name, t.shape, shape)
	}
	return t, nil
}

// similar lists the names that have the longest prefix in common with name, for
// an error.
func (f *File) similar(name string) string {
	best, longest := []string(nil), 0
	for _, n := range f.names {
		k := 0
		for k < len(n) && k < len(name) && n[k] == name[k] {
			k++
		}
		switch {
		case k > longest:
			best, longest = []string{n}, k
		case k == longest:
			best = append(best, n)
		}
	}
	if len(best) == 0 {
		return fmt.Sprintf(" (the file has %d tensors)", len(f.names))
	}
	return fmt.Sprintf(" (%d tensors, among them %s)", len(f.names), listSome(best))
}

// listSome joins at most five of the names.
func listSome(names []string) string {
	if len(names) > 5 {
		return fmt.Sprintf("%s and %d more", quoteAll(names[:5]), len(names)-5)
	}
	return quoteAll(names)
}

func quoteAll(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(q, ", ")
}

// Close unmaps the file. Reading a tensor afterwards crashes the process.
func (f *File) Close() error {
	var errs []error
	for _, m := range f.mappings {
		errs = append(errs, m.close())
	}
	f.mappings = nil
	return errors.Join(errs...)
}

// add adds the tensors of one parsed file, in the order of their offsets.
func (f *File) add(tensors []*Tensor) error {
	if f.tensors == nil {
		f.tensors = make(map[string]*Tensor, len(tensors))
	}
	slices.SortStableFunc(tensors, compareOffsets)
	for _, t := range tensors {
		if other := f.tensors[t.name]; other != nil {
			return fmt.Errorf("tensor %q is in %s and in %s", t.name, other.file, t.file)
		}
		f.tensors[t.name] = t
		f.names = append(f.names, t.name)
		f.total += int64(len(t.data))
	}
	return nil
}
