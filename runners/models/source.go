package models

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/weights"
)

// Source returns a model's tensors by their roles. layer and expert are -1 if they
// do not apply.
type Source interface {
	// Tensor returns the matrix (rows, cols) of a role. Errors name the tensor.
	Tensor(role Role, layer, expert, rows, cols int) (engine.Stored, error)
	// Has reports whether the model has a tensor of this role.
	Has(role Role, layer int) bool
}

// Role is the purpose of a tensor.
type Role int

// The roles.
const (
	Embedding Role = iota
	OutputNorm
	Output
	AttentionNorm
	Query
	Key
	Value
	QueryBias
	KeyBias
	ValueBias
	Sinks // a score for each query head
	AttentionOutput
	AttentionOutputBias
	QueryNorm
	KeyNorm
	FeedNorm
	AttentionPostNorm // behind attention, before its output is added
	FeedPostNorm
	Gate
	Up
	Down
	Router
	RouterBias
	GateBias // of an expert, and so the next two
	UpBias
	DownBias
	QueryGate // of full attention's output, fused with the queries

	// Of a layer with linear attention.
	LinearQKV
	LinearZ
	LinearB
	LinearA
	LinearConv // (channels, kernel)
	LinearDecay
	LinearBias
	LinearNorm
	LinearOutput
)

var hubNames = map[Role]string{
	Embedding: "model.embed_tokens.weight", OutputNorm: "model.norm.weight", Output: "lm_head.weight",
	AttentionNorm: "model.layers.%d.input_layernorm.weight",
	Query:         "model.layers.%d.self_attn.q_proj.weight", QueryBias: "model.layers.%d.self_attn.q_proj.bias",
	Key: "model.layers.%d.self_attn.k_proj.weight", KeyBias: "model.layers.%d.self_attn.k_proj.bias",
	Value: "model.layers.%d.self_attn.v_proj.weight", ValueBias: "model.layers.%d.self_attn.v_proj.bias",
	AttentionOutput: "model.layers.%d.self_attn.o_proj.weight", AttentionOutputBias: "model.layers.%d.self_attn.o_proj.bias",
	QueryNorm: "model.layers.%d.self_attn.q_norm.weight", KeyNorm: "model.layers.%d.self_attn.k_norm.weight",
	FeedNorm: "model.layers.%d.post_attention_layernorm.weight",
	Gate:     "model.layers.%d.mlp.gate_proj.weight", Up: "model.layers.%d.mlp.up_proj.weight", Down: "model.layers.%d.mlp.down_proj.weight",
	Router: "model.layers.%d.mlp.gate.weight", QueryGate: "model.layers.%d.self_attn.q_proj.weight",
	LinearQKV: "model.layers.%d.linear_attn.in_proj_qkv.weight", LinearZ: "model.layers.%d.linear_attn.in_proj_z.weight",
	LinearB: "model.layers.%d.linear_attn.in_proj_b.weight", LinearA: "model.layers.%d.linear_attn.in_proj_a.weight",
	LinearConv: "model.layers.%d.linear_attn.conv1d.weight", LinearDecay: "model.layers.%d.linear_attn.A_log",
	LinearBias: "model.layers.%d.linear_attn.dt_bias", LinearNorm: "model.layers.%d.linear_attn.norm.weight",
	LinearOutput: "model.layers.%d.linear_attn.out_proj.weight",
}

var hubExperts = map[Role]string{
	Gate: "model.layers.%d.mlp.experts.%d.gate_proj.weight",
	Up:   "model.layers.%d.mlp.experts.%d.up_proj.weight",
	Down: "model.layers.%d.mlp.experts.%d.down_proj.weight",
}

var ggufNames = map[Role]string{
	Embedding: "token_embd.weight", OutputNorm: "output_norm.weight", Output: "output.weight",
	AttentionNorm: "blk.%d.attn_norm.weight",
	Query:         "blk.%d.attn_q.weight", QueryBias: "blk.%d.attn_q.bias",
	Key: "blk.%d.attn_k.weight", KeyBias: "blk.%d.attn_k.bias",
	Value: "blk.%d.attn_v.weight", ValueBias: "blk.%d.attn_v.bias",
	AttentionOutput: "blk.%d.attn_output.weight", AttentionOutputBias: "blk.%d.attn_output.bias",
	QueryNorm: "blk.%d.attn_q_norm.weight", KeyNorm: "blk.%d.attn_k_norm.weight",
	FeedNorm: "blk.%d.ffn_norm.weight", AttentionPostNorm: "blk.%d.post_attention_norm.weight", FeedPostNorm: "blk.%d.post_ffw_norm.weight",
	Gate: "blk.%d.ffn_gate.weight", Up: "blk.%d.ffn_up.weight", Down: "blk.%d.ffn_down.weight",
	Router: "blk.%d.ffn_gate_inp.weight", RouterBias: "blk.%d.ffn_gate_inp.bias", Sinks: "blk.%d.attn_sinks.weight",
}

var ggufExperts = map[Role]string{
	Gate: "blk.%d.ffn_gate_exps.weight", Up: "blk.%d.ffn_up_exps.weight", Down: "blk.%d.ffn_down_exps.weight",
	GateBias: "blk.%d.ffn_gate_exps.bias", UpBias: "blk.%d.ffn_up_exps.bias", DownBias: "blk.%d.ffn_down_exps.bias",
}

func nameOf(names map[Role]string, role Role, layer int) string {
	if layer < 0 {
		return names[role]
	}
	return fmt.Sprintf(names[role], layer)
}

// shapeOf is the shape of a role's tensor in a file, where a vector has one dimension.
func shapeOf(role Role, rows, cols int) []int {
	switch role {
	case OutputNorm, AttentionNorm, FeedNorm, AttentionPostNorm, FeedPostNorm, QueryNorm, KeyNorm, QueryBias, KeyBias, ValueBias, AttentionOutputBias, Sinks, RouterBias, GateBias, UpBias, DownBias,
		LinearDecay, LinearBias, LinearNorm:
		return []int{cols}
	case LinearConv:
		return []int{rows, 1, cols}
	}
	return []int{rows, cols}
}

// hubSource reads the safetensors of a Hugging Face model. A language model beside others has its
// names behind prefix instead of "model.".
type hubSource struct {
	file   *weights.File
	config Config
	family Family
	prefix string
}

// newHubSource finds out how the tensors are named.
func newHubSource(file *weights.File, config Config) hubSource {
	s := hubSource{file: file, config: config, family: families[config.Family], prefix: "model."}
	for _, prefix := range []string{"language_model.model.", "model.language_model."} {
		other := s
		if other.prefix = prefix; !s.Has(Embedding, -1) && other.Has(Embedding, -1) {
			return other
		}
	}
	return s
}

// name is the family's own where it has one for the role.
func (s hubSource) name(role Role, layer int) string {
	names := hubNames
	if _, ok := s.family.Tensors[role]; ok {
		names = s.family.Tensors
	}
	return s.prefixed(nameOf(names, role, layer))
}

func (s hubSource) prefixed(name string) string {
	if rest, ok := strings.CutPrefix(name, "model."); ok {
		return s.prefix + rest
	}
	return name
}

func (s hubSource) Has(role Role, layer int) bool { return s.file.Has(s.name(role, layer)) }

func (s hubSource) Tensor(role Role, layer, expert, rows, cols int) (engine.Stored, error) {
	name := s.name(role, layer)
	if expert >= 0 {
		if s.family.Expert != nil {
			stacks := s.prefixed(fmt.Sprintf("model.layers.%d.mlp.experts.", layer))
			return s.family.Expert(s.file, stacks, s.config, role, expert, rows, cols)
		}
		experts := hubExperts
		if s.family.Experts != nil {
			experts = s.family.Experts
		}
		name = s.prefixed(fmt.Sprintf(experts[role], layer, expert))
	}
	return s.config.fused(role, rows, func(rows int) (engine.Stored, error) {
		if t, err := s.file.Tensor(name); err == nil && t.DType() == "F8_E4M3" {
			return scaled(s.file, name, rows, cols)
		}
		return s.file.Weight(name, shapeOf(role, rows, cols)...)
	})
}

// ggufSource reads a GGUF file. In files of the llama architecture (pairs is set) the
// rows of each head of q and k are interleaved for a rotation of neighbours; Tensor
// puts them back into halves.
type ggufSource struct {
	file   *weights.File
	config Config
	pairs  bool
}

func (s ggufSource) Has(role Role, layer int) bool { return s.file.Has(s.name(role, layer)) }

func (s ggufSource) name(role Role, layer int) string {
	if own := families[s.config.Family].GGUFTensors; own[role] != "" {
		return nameOf(own, role, layer)
	}
	return nameOf(ggufNames, role, layer)
}

func (s ggufSource) Tensor(role Role, layer, expert, rows, cols int) (engine.Stored, error) {
	if expert >= 0 {
		shape := append([]int{s.config.Experts}, shapeOf(role, rows, cols)...)
		all, err := s.file.Weight(fmt.Sprintf(ggufExperts[role], layer), shape...)
		if err != nil {
			return nil, err
		}
		return weights.RowSlice(all, expert*rows, (expert+1)*rows), nil
	}
	t, err := s.config.fused(role, rows, func(rows int) (engine.Stored, error) {
		return s.file.Weight(s.name(role, layer), shapeOf(role, rows, cols)...)
	})
	if err != nil {
		return nil, err
	}
	if s.pairs && (role == Query || role == Key) {
		return weights.Permuted(t, weights.HalvesFromPairs(rows/s.config.Heads.Size, s.config.Heads.Size)), nil
	}
	return t, nil
}

// Files is a model's configuration and tensors.
type Files struct {
	Config Config
	Source Source
	Bytes  int64  // of the tensors, as stored
	Path   string // of the directory or file
	// GGUF is the open GGUF file, which also has the tokenizer; nil for others.
	GGUF *weights.File

	close func() error
}

// ownOutput unties a model whose files have an output product that differs from the embeddings, whatever its configuration
// says, as transformers does: it was trained or merged by itself.
func (f *Files) ownOutput(file *weights.File) error {
	c, s := &f.Config, newHubSource(file, f.Config)
	if !c.Tied || !s.Has(Output, -1) {
		return nil
	}
	var tables [2]engine.Stored
	for i, role := range []Role{Embedding, Output} {
		var err error
		if tables[i], err = s.Tensor(role, -1, -1, c.Vocab, c.Width); err != nil {
			return err
		}
	}
	if tables[0].Storage() != tables[1].Storage() {
		c.Tied = false
		return nil
	}
	for i := range c.Vocab {
		if !bytes.Equal(tables[0].RawRow(i), tables[1].RawRow(i)) {
			c.Tied = false
			return nil
		}
	}
	return nil
}

// Close unmaps the files.
func (f *Files) Close() error {
	if f.close == nil {
		return nil
	}
	return f.close()
}

// Open opens a Hugging Face directory or a .gguf file.
func Open(path string) (*Files, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if err := Unsupported(path); err != nil {
			return nil, err // before its weights are opened, which may lack or be of a kind that nobody reads here
		}
	}
	file, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	files := &Files{Bytes: file.TotalBytes(), Path: path, close: file.Close}
	if file.Metadata().Has("general.architecture") {
		files.GGUF = file
		if files.Config, err = ggufConfig(file); err == nil {
			architecture, _ := file.Metadata().String("general.architecture")
			files.Source = ggufSource{file, files.Config, architecture == "llama"}
		}
	} else {
		if files.Config, err = ReadConfig(path); err == nil {
			err = files.ownOutput(file)
		}
		files.Source = newHubSource(file, files.Config)
	}
	if err == nil && files.Source.Has(AttentionNorm, files.Config.Layers) {
		// A model with only some of its layers would run and give wrong answers.
		err = fmt.Errorf("%s: the configuration has %d layers, the weights have more", path, files.Config.Layers)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return files, nil
}
