"""What vLLM and transformers say when a model's layers and weights are not those that they expect."""

from sparkconsole.parse.known.known import cause

MODEL_FILES = {
    "model-part-unknown": cause(
        r"[Tt]here is no module or parameter named '(?P<part>[^']{1,200})' in (?P<type>\w+)|"
        r"[Uu]nexpected (?:key|weight|parameter)(?:\(s\)|s)? (?:found )?in (?:the )?(?:state_dict|"
        r"checkpoint)|"
        r"AttributeError: '(?P<other>\w+)' object has no attribute '(?:load_weights|packed_modules_mapping)'",
        "this vLLM does not know a part of the model: {part} {other}",
        "the model is newer than the image, or runs by a fallback (Transformers) that lacks the part",
        "a newer image: sparkconsole image build --rebuild-vllm; or the model's own architecture in its "
        "config.json",
        "ValueError: There is no module or parameter named 'mlp_AR' in TransformersForCausalLM",
    ),
    "sizes-differ": cause(
        r"assert param(?:_data)?\.(?:shape|size\(\)) == loaded_weight|"
        r"[Tt]he size of tensor \w+ \((?P<one>\d+)\) must match the size of tensor \w+ \((?P<other>\d+)\)|"
        r"start \(\d+\) \+ length \(\d+\) exceeds dimension size|shapes cannot be multiplied|"
        r"(?:[Ss]hape|[Ss]ize)s? mismatch(?! for)|Tried to load weights of size",
        "a weight or a tensor has another size than this vLLM expects: {one} {other}",
        "the checkpoint is quantised or split otherwise, its draft model (MTP) does not fit, or a file is of "
        "another model",
        "leave --speculative-config out to see whether it is the draft model; another -tp; a newer image; "
        "compare the model on all nodes: sparkconsole model list",
        "RuntimeError: The size of tensor a (2048) must match the size of tensor b (4096) at non-singleton "
        "dimension 1",
    ),
    "layer-not-on-rank": cause(
        r"KeyError: ['\"](?P<layer>[\w.]{0,200}layers\.\d+\.(?:[\w.]{0,100}\.)?(?:linear_attn|self_attn|attn|"
        r"mixer|mamba|indexer|attention|cross_attn)(?:\.(?:attn|mamba|k_cache|indexer))?)['\"]",
        "a rank looks for a layer that it does not have: {layer}",
        "seen when models with several kinds of layers are split by -pp: the KV cache counts the layers of "
        "all ranks",
        "serve with -tp instead of -pp; a newer image: sparkconsole image build --rebuild-vllm",
        "KeyError: 'language_model.model.layers.40.linear_attn'",
    ),
    "weights-not-mapped": cause(
        r"KeyError: ['\"](?P<weight>[\w.]{0,200}(?:layers|blocks|h|experts)\.\d+\.[\w.]{1,160})['\"]|"
        r"KeyError: ['\"](?P<weight2>[\w.]{0,200}\.(?:w\d|w\d\d|qkv|gate_up)_(?:weight|scale|proj)\w*)['\"]",
        "a weight of the checkpoint has no place on this rank: {weight}",
        "this vLLM maps the layers otherwise: another split (-pp), quantisation, or version than the "
        "checkpoint is for",
        "another -tp and -pp, or a newer image; compare the model on all nodes: sparkconsole model list",
        "KeyError: 'layers.61.mlp.experts.w2_weight'",
    ),
}
