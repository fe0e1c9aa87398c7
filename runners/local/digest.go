package local

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/snapbench/snapbench/inputs"
)

// Digest returns "sha256:" and the first 16 hexadecimal digits of a SHA-256 over the names
// and contents of files, of which there must be one at least.
func Digest(paths ...string) (string, error) {
	if len(paths) == 0 {
		return "", errors.New("no files to take a digest of")
	}
	all := sha256.New()
	for _, path := range paths {
		sum, err := fileDigest(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(all, "%s %s\n", filepath.Base(path), sum)
	}
	return "sha256:" + hex.EncodeToString(all.Sum(nil))[:16], nil
}

// remembered is a large file's checksum in the user's cache, so that weights are not read
// for it at every start. It is valid as long as the file's stamp is the same.
type remembered struct {
	stamp
	SHA256 string `json:"sha256"`
}

// stamp decides whether a file is taken to be unchanged. Size and time of modification are
// not enough: whoever changes the file can set them back, as cp -p and rsync -t do. The
// inode shows that another file took its place, and the time of change, which no call can
// set, that its bytes were written to. Some network file systems make these up, so a sample
// of the bytes must be equal too. On a system without a time of change nothing is
// remembered.
type stamp struct {
	Device   uint64 `json:"device"`
	Inode    uint64 `json:"inode"`
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"` // nanoseconds of Unix time
	Changed  int64  `json:"changed"`  // likewise
	Sample   string `json:"sample"`
}

// settled is how long a file must have been unchanged before its checksum is remembered:
// two changes within one tick of the file system's clock have the same time.
var settled = 2 * time.Second

// remember is the size in bytes above which a file's checksum is remembered.
const remember = 1 << 20

// A stamp's sample is this many blocks of this many bytes, spread evenly from the start of
// the file to its end.
const sampleBlocks, sampleBlock = 64, 4096

// fileDigest returns a file's SHA-256 in hexadecimal, from the user's cache where possible.
func fileDigest(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	f, err := inputs.Open(absolute)
	if err != nil {
		return "", err
	}
	defer f.Close()
	now := time.Now()
	before, ok, err := stampOf(f)
	if err != nil {
		return "", err
	}
	memo := ""
	if cache, err := os.UserCacheDir(); err == nil && ok && before.Size > remember {
		key := sha256.Sum256([]byte(absolute))
		memo = filepath.Join(cache, "snapbench", "digests", hex.EncodeToString(key[:8])+".json")
		var r remembered
		if data, err := os.ReadFile(memo); err == nil && json.Unmarshal(data, &r) == nil && r.stamp == before && len(r.SHA256) == 64 {
			return r.SHA256, nil
		}
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	after, _, err := stampOf(f)
	if err != nil {
		return "", err
	}
	if after != before {
		return "", fmt.Errorf("%s: changed while it was read", path)
	}
	r := remembered{before, hex.EncodeToString(h.Sum(nil))}
	if memo != "" && now.Sub(time.Unix(0, before.Changed)) >= settled {
		// Where the cache cannot be written, the file is only hashed again next time.
		if data, err := json.Marshal(r); err == nil && os.MkdirAll(filepath.Dir(memo), 0o755) == nil {
			os.WriteFile(memo, data, 0o644)
		}
	}
	return r.SHA256, nil
}

// stampOf returns a file's stamp. It is complete where ok is set.
func stampOf(f *os.File) (s stamp, ok bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return stamp{}, false, err
	}
	s = stamp{Size: info.Size(), Modified: info.ModTime().UnixNano()}
	if ok, err = s.identify(f); err != nil || !ok {
		return s, false, err
	}
	h := sha256.New()
	block := make([]byte, min(sampleBlock, s.Size))
	last := s.Size - int64(len(block)) // where the last block begins
	for i := range int64(sampleBlocks) {
		// Divided before multiplied: last may be close to the largest int64.
		at := last/(sampleBlocks-1)*i + last%(sampleBlocks-1)*i/(sampleBlocks-1)
		if _, err := f.ReadAt(block, at); err != nil {
			return stamp{}, false, fmt.Errorf("%s: byte %d: %w", f.Name(), at, err)
		}
		h.Write(block)
	}
	s.Sample = hex.EncodeToString(h.Sum(nil)[:16])
	return s, true, nil
}
