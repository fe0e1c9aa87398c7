package jieba

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/snapbench/snapbench/inputs"
)

// Files are the four files of the package jieba that hold its data, in the
// order of the fingerprint, as paths inside the package.
var Files = [4]string{"dict.txt", "finalseg/prob_start.py", "finalseg/prob_trans.py", "finalseg/prob_emit.py"}

// Fingerprint0421 is the fingerprint of jieba 0.42.1, the release that graded
// LongBench's published Chinese scores.
const Fingerprint0421 = "9a119f903359e53c2bc99c64488c9836650ce3912cdadc785eab91e7c8b09884"

// maxFile is the largest size in bytes of an archive's member: a little over ten
// times the dictionary.
const maxFile = 64 << 20

// Open reads the data of jieba from path: the package's source archive
// (.tar.gz), its wheel (.whl, .zip), or a directory that has the package's
// files, dict.txt and finalseg/prob_*.py, at its top or in a folder jieba.
func Open(path string) (*Segmenter, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("jieba: %w", err)
	}
	var files [4][]byte
	switch name := strings.ToLower(path); {
	case info.IsDir():
		files, err = readDir(path)
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		files, err = readTar(path)
	case strings.HasSuffix(name, ".whl"), strings.HasSuffix(name, ".zip"):
		files, err = readZip(path)
	default:
		err = errors.New("neither a directory nor a .tar.gz, .whl or .zip")
	}
	if err != nil {
		return nil, fmt.Errorf("jieba: %s: %w", path, err)
	}
	return parse(path, files)
}

// parse makes a segmenter from the four files.
func parse(path string, files [4][]byte) (*Segmenter, error) {
	var names [4]string
	sum := sha256.New()
	for i, name := range Files {
		names[i] = filepath.Join(path, filepath.FromSlash(name))
		sum.Write(files[i])
	}
	s := &Segmenter{fingerprint: hex.EncodeToString(sum.Sum(nil))}
	var err error
	if s.dict, err = parseDictionary(names[0], files[0]); err != nil {
		return nil, fmt.Errorf("jieba: %w", err)
	}
	if s.model, err = parseHMM(names[1], files[1], names[2], files[2], names[3], files[3]); err != nil {
		return nil, fmt.Errorf("jieba: %w", err)
	}
	return s, nil
}

func readDir(dir string) (files [4][]byte, err error) {
	if _, err := os.Stat(filepath.Join(dir, Files[0])); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, "jieba", Files[0])); err == nil {
			dir = filepath.Join(dir, "jieba")
		}
	}
	for i, name := range Files {
		if files[i], err = inputs.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return files, err
		}
	}
	return files, nil
}

// wanted is the index in Files of an archive's member, or -1.
func wanted(member string) int {
	for i, name := range Files {
		if full := "jieba/" + name; member == full || strings.HasSuffix(member, "/"+full) {
			return i
		}
	}
	return -1
}

// missing is the error that names the files that an archive lacks, or nil.
func missing(files [4][]byte) error {
	var names []string
	for i, data := range files {
		if data == nil {
			names = append(names, "jieba/"+Files[i])
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("the archive lacks %s", strings.Join(names, ", "))
}

func readLimited(r io.Reader, member string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", member, err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: more than %d bytes", member, maxFile)
	}
	return data, nil
}

func readTar(path string) (files [4][]byte, err error) {
	f, err := inputs.Open(path)
	if err != nil {
		return files, err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return files, err
	}
	for archive := tar.NewReader(unzipped); missing(files) != nil; {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return files, err
		}
		if i := wanted(header.Name); i >= 0 && header.Typeflag == tar.TypeReg {
			if files[i], err = readLimited(archive, header.Name); err != nil {
				return files, err
			}
		}
	}
	return files, missing(files)
}

func readZip(path string) (files [4][]byte, err error) {
	if err := inputs.Check(path); err != nil {
		return files, err
	}
	archive, err := zip.OpenReader(path)
	if err != nil {
		return files, err
	}
	defer archive.Close()
	for _, member := range archive.File {
		i := wanted(member.Name)
		if i < 0 {
			continue
		}
		r, err := member.Open()
		if err != nil {
			return files, fmt.Errorf("%s: %w", member.Name, err)
		}
		files[i], err = readLimited(r, member.Name)
		r.Close()
		if err != nil {
			return files, err
		}
	}
	return files, missing(files)
}
