package models

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/snapbench/snapbench/runners/weights"
)

// ErrFamily is wrapped by errors for families that this package does not have.
var ErrFamily = errors.New("the family is not supported")

// lacking is a family that this package does not have: what people call it, its name in GGUF
// files, and what its forward pass needs that no family here has.
type lacking struct{ title, gguf, needs string }

const (
	correctedRouter = "a sigmoid router with a correction bias"
	latentAttention = "multi-head latent attention"
	deltaNet        = "gated delta nets in place of attention"
	stateSpace      = "state space layers in place of attention"
	plainMLP        = "feed-forward layers without a gate"
	layerNorm       = "layer norms that take the mean off"
	besideImages    = "a vision model beside the language model"
)

// unsupported are families of config.json by model_type. Sources: their classes in transformers.
var unsupported = map[string]lacking{
	"apertus":          {"Apertus", "apertus", "the activation xIELU"},
	"arcee":            {"Arcee AFM", "arcee", plainMLP},
	"bloom":            {"BLOOM", "bloom", "ALiBi in place of a rotation"},
	"cohere":           {"Command R", "command-r", "attention and feed-forward side by side behind one norm, a scale of the logits, and a rotation of neighbouring channels"},
	"cohere2":          {"Command A and R7B", "cohere2", "attention and feed-forward side by side behind one norm, and full layers without a rotation"},
	"dbrx":             {"DBRX", "dbrx", layerNorm + " and clipped queries, keys and values"},
	"deepseek_v2":      {"DeepSeek-V2", "deepseek2", latentAttention + ", a router of groups and shared experts"},
	"deepseek_v3":      {"DeepSeek-V3 and R1", "", latentAttention + ", " + correctedRouter + " and groups, and shared experts"},
	"deepseek_v32":     {"DeepSeek-V3.2", "", latentAttention + " and sparse attention by an indexer"},
	"falcon":           {"Falcon", "falcon", layerNorm + " and " + plainMLP},
	"falcon_h1":        {"Falcon-H1", "falcon-h1", "state space layers beside attention"},
	"gemma":            {"Gemma 1", "gemma", "its forward pass was never held against transformers here"},
	"gemma3n":          {"Gemma 3n", "gemma3n", "embeddings for each layer and alternating updates"},
	"glm4":             {"GLM-4", "glm4", "a rotation of neighbouring channels"},
	"glm4_moe":         {"GLM-4.5 and 4.6", "glm4moe", correctedRouter + " and shared experts"},
	"gpt2":             {"GPT-2", "gpt2", "learned positions in place of a rotation"},
	"gpt_neox":         {"GPT-NeoX and Pythia", "gptneox", layerNorm + ", " + plainMLP + ", and attention and feed-forward side by side"},
	"gptj":             {"GPT-J", "gptj", layerNorm + ", " + plainMLP + ", and attention and feed-forward side by side"},
	"granite":          {"Granite", "granite", "multipliers of embeddings, attention, residuals and logits"},
	"granitemoehybrid": {"Granite 4", "granitehybrid", stateSpace},
	"jamba":            {"Jamba", "jamba", stateSpace},
	"kimi_k2":          {"Kimi K2", "", latentAttention + " and " + correctedRouter},
	"lfm2":             {"LFM2", "lfm2", "short convolutions in place of attention"},
	"llama4":           {"Llama 4", "llama4", "layers without a rotation, attention in chunks and a shared expert"},
	"llama4_text":      {"Llama 4", "", "layers without a rotation, attention in chunks and a shared expert"},
	"mamba":            {"Mamba", "mamba", stateSpace + ": there is no cache of keys and values"},
	"mamba2":           {"Mamba 2", "mamba2", stateSpace + ": there is no cache of keys and values"},
	"minimax":          {"MiniMax-01", "", "linear attention in most layers"},
	"minimax_m2":       {"MiniMax-M2", "minimax-m2", correctedRouter + " and norms over all heads of q and k together"},
	"mistral3":         {"Mistral Small 3.1 and later", "", besideImages},
	"mpt":              {"MPT", "mpt", "ALiBi in place of a rotation"},
	"nemotron":         {"Nemotron", "nemotron", layerNorm + " and " + plainMLP},
	"nemotron_h":       {"Nemotron-H", "nemotron_h", stateSpace + " and " + plainMLP},
	"olmo2":            {"OLMo 2", "olmo2", "norms behind sublayers without any before them, and norms over all heads of q and k together"},
	"olmo3":            {"OLMo 3", "", "norms behind sublayers without any before them, and norms over all heads of q and k together"},
	"olmoe":            {"OLMoE", "olmoe", "norms over all heads of q and k together"},
	"opt":              {"OPT", "", "learned positions in place of a rotation"},
	"phi":              {"Phi-1, 1.5 and 2", "phi2", layerNorm + ", " + plainMLP + ", and attention and feed-forward side by side"},
	"phi3small":        {"Phi-3-small", "", "block-sparse attention and layer norms"},
	"phimoe":           {"Phi-3.5-MoE", "phimoe", "a router by SparseMixer and " + layerNorm},
	"qwen2_5_vl":       {"Qwen2.5-VL", "qwen2vl", besideImages + " and a rotation of three positions"},
	"qwen2_moe":        {"Qwen1.5-MoE and Qwen2-57B-A14B", "qwen2moe", "a shared expert with a gate of its own"},
	"qwen35":           {"Qwen3.5 as GGUF", "qwen35", "its tensors in GGUF were never held against transformers' here; files of the hub are read"},
	"qwen3_next":       {"Qwen3-Next", "qwen3next", deltaNet + ", gated attention and a shared expert"},
	"qwen3_vl":         {"Qwen3-VL", "qwen3vl", besideImages + " and a rotation of three positions"},
	"recurrent_gemma":  {"RecurrentGemma", "", "recurrent layers in place of attention"},
	"rwkv":             {"RWKV", "", "recurrent layers in place of attention: there is no cache of keys and values"},
	"smollm3":          {"SmolLM3", "smollm3", "layers without a rotation"},
	"stablelm":         {"StableLM", "stablelm", layerNorm},
	"starcoder2":       {"StarCoder 2", "starcoder2", layerNorm + " and " + plainMLP},
}

// noFamily is the error for a model_type that no family has.
func noFamily(modelType string) error {
	have := strings.Join(Names(), ", ")
	if m, ok := unsupported[modelType]; ok {
		return familyError(fmt.Sprintf("%s (model_type %q): %s: not supported; supported: %s", m.title, modelType, m.needs, have))
	}
	return familyError(fmt.Sprintf("unknown model_type %q: have %s", modelType, have))
}

// noArchitecture is the error for a GGUF file's architecture that no family has.
func noArchitecture(architecture string) error {
	have := strings.Join(architectures(), ", ")
	for _, m := range unsupported {
		if m.gguf == architecture && architecture != "" {
			return familyError(fmt.Sprintf("%s (architecture %q): %s: not supported; supported: %s", m.title, architecture, m.needs, have))
		}
	}
	return familyError(fmt.Sprintf("architecture %q: have %s", architecture, have))
}

// familyError wraps ErrFamily without saying it again.
type familyError string

func (e familyError) Error() string        { return string(e) }
func (e familyError) Is(target error) bool { return target == ErrFamily }

// Unsupported returns why a model in a folder or a .gguf file is of a family that is not supported, which wraps [ErrFamily]. It
// reads the configuration alone. Where that has another fault, or is not there, it returns nil: who opens the model says so.
func Unsupported(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil
	case info.IsDir():
		_, err = ReadConfig(path)
	default:
		var file *weights.File
		if file, err = weights.Open(path); err != nil {
			return nil
		}
		defer file.Close()
		if file.Metadata().Has("general.architecture") {
			_, err = ggufConfig(file)
		}
	}
	if errors.Is(err, ErrFamily) {
		return err
	}
	return nil
}
