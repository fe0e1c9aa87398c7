// Package embedded holds the model that ships inside the binary: a Llama of 5.8
// million parameters, trained from scratch to find needles in up to 16,384
// tokens of prose. docs/model-card.md says what it can do and how it was made,
// train/train.py makes it, and [Extract] writes its files to a folder.
package embedded

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/snapbench/snapbench/inputs"
)

// Name is the model's name on the command line.
const Name = "embedded"

//go:embed config.json model.safetensors tokenizer.json tokenizer_config.json
var files embed.FS

// Files returns the model as a Hugging Face directory: config.json,
// model.safetensors (bfloat16), tokenizer.json and tokenizer_config.json.
func Files() fs.FS { return files }

// digest is a hash of every file's name and content.
var digest = sync.OnceValue(func() string {
	sum := sha256.New()
	for _, name := range names() {
		content := read(name)
		fmt.Fprintf(sum, "%s %d\n", name, len(content))
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil))
})

// Digest returns the SHA-256 of all files of the model in hexadecimal.
func Digest() string { return digest() }

// Extract writes the model's files to a folder below dir, whose name has their
// digest, and returns the folder. Files that have the right content already are
// not written again, so that several processes can map the same weights.
func Extract(dir string) (string, error) {
	folder := filepath.Join(dir, Name+"-"+Digest()[:12])
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return "", fmt.Errorf("the embedded model: %w", err)
	}
	for _, name := range names() {
		if err := write(filepath.Join(folder, name), read(name)); err != nil {
			return "", fmt.Errorf("the embedded model: %w", err)
		}
	}
	return folder, nil
}

func names() []string {
	entries, err := files.ReadDir(".") // sorted by name
	if err != nil {
		panic(err) // the root of an embedded tree always exists
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func read(name string) []byte {
	content, err := files.ReadFile(name)
	if err != nil {
		panic(err) // name is from names
	}
	return content
}

// write writes content to path, unless it is there already. A reader sees the
// old file or the new one, never a part of it.
func write(path string, content []byte) error {
	have, err := inputs.ReadFile(path)
	if err == nil && sha256.Sum256(have) == sha256.Sum256(content) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename it does not exist
	_, err = f.Write(content)
	err = errors.Join(err, f.Close())
	if err != nil {
		return err
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
