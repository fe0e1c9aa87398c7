package weights

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/snapbench/snapbench/inputs"
)

// maxIndex is the largest size of model.safetensors.index.json, which is read as a
// whole. The largest published ones have about 10 MB.
const maxIndex = maxHeader

// openIndex opens all shards that a model.safetensors.index.json names. It also
// takes the tensors of a shard that the index does not list, as other readers of
// the format do.
func openIndex(path string) (*File, error) {
	order, shardOf, err := readIndex(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path}
	for _, shard := range order {
		if err := f.openShard(filepath.Join(filepath.Dir(path), shard)); err != nil {
			f.Close()
			return nil, fmt.Errorf("%s: shard %q: %w", path, shard, err)
		}
	}
	for name, shard := range shardOf {
		t := f.tensors[name]
		if t == nil {
			f.Close()
			return nil, fmt.Errorf("%s: tensor %q should be in %s and is not", path, name, shard)
		}
		if filepath.Base(t.file) != shard {
			f.Close()
			return nil, fmt.Errorf("%s: tensor %q should be in %s and is in %s", path, name, shard, filepath.Base(t.file))
		}
	}
	return f, nil
}

func readIndex(path string) (shards []string, shardOf map[string]string, err error) {
	in, err := inputs.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxIndex+1))
	if err != nil {
		return nil, nil, err
	}
	return parseIndex(path, data)
}

// parseIndex returns the shards' file names, sorted, and each tensor's shard.
func parseIndex(path string, data []byte) (shards []string, shardOf map[string]string, err error) {
	if len(data) > maxIndex {
		return nil, nil, fmt.Errorf("%s: more than %d bytes of index", path, maxIndex)
	}
	if at := invalidUTF8(data); at >= 0 {
		return nil, nil, fmt.Errorf("%s: byte %d: not UTF-8", path, at)
	}
	r := jsonReader{dec: json.NewDecoder(bytes.NewReader(data))}
	r.dec.UseNumber()
	err = r.object(func(key string) error {
		if key != "weight_map" {
			if err := r.skip(); err != nil {
				return fmt.Errorf("%q: %w", key, err)
			}
			return nil
		}
		if shardOf != nil {
			return errors.New("weight_map twice")
		}
		shardOf = make(map[string]string)
		return r.object(func(name string) error {
			shard, err := r.string()
			if err != nil {
				return fmt.Errorf("weight_map: tensor %q: %w", name, err)
			}
			if _, twice := shardOf[name]; twice {
				return fmt.Errorf("weight_map: tensor %q twice", name)
			}
			if shard != filepath.Base(shard) || !filepath.IsLocal(shard) || shard == "." {
				return fmt.Errorf("weight_map: tensor %q: shard %q is not a file name in this directory", name, shard)
			}
			shardOf[name] = shard
			return nil
		})
	})
	if err == nil && shardOf == nil {
		err = errors.New("no weight_map")
	}
	if err == nil && len(shardOf) == 0 {
		err = errors.New("weight_map is empty")
	}
	if err == nil {
		if _, e := r.dec.Token(); e != io.EOF {
			err = errors.New("more after the object")
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: byte %d: %w", path, r.dec.InputOffset(), err)
	}
	seen := make(map[string]bool)
	for _, s := range shardOf {
		if !seen[s] {
			seen[s] = true
			shards = append(shards, s)
		}
	}
	slices.Sort(shards)
	return shards, shardOf, nil
}
