"""What is compared: names, titles, operations and bytes of an iteration."""

SQUARES = [64, 128, 256, 512, 1024, 2048]
# NN is A B, NT a linear layer's forward (x w^T), TN its weight gradient.
PRODUCTS = [f"sgemm_nn_{n}x{n}x{n}" for n in SQUARES] + [
    "sgemm_nn_64x128x784", "sgemm_nn_64x10x128", "sgemm_nn_1024x3072x768", "sgemm_nn_128x2304x768",
    "sgemm_nt_128x128x128", "sgemm_nt_512x512x512", "sgemm_nt_64x128x784", "sgemm_nt_64x10x128",
    "sgemm_nt_1024x3072x768", "sgemm_tn_128x128x128", "sgemm_tn_512x512x512", "sgemm_tn_128x784x64",
    "sgemm_tn_10x128x64", "sgemm_tn_3072x768x1024"]

TITLES = {
    "add_8x8": "add of 8 x 8",
    "node_8x8": "one node, forward + backward (tanh of 8 x 8)",
    "mlp_b1_sgd": "MLP 784-32-10, batch 1, SGD",
    "mlp_b1_adamw": "MLP 784-32-10, batch 1, AdamW + clip + EMA",
    "mlp_b64_sgd": "MLP 784-128-10, batch 64, SGD",
    "mlp_b64_adamw": "MLP 784-128-10, batch 64, AdamW + clip + EMA",
    "mlp_b256_adamw": "MLP 784-512-10, batch 256, AdamW + clip + EMA",
    "cnn_b64": "CNN 16c5-p-32c5-p-fc, batch 64, SGD",
    "fashion_b128": "CNN 32c3-p-64c3-p-128-10, batch 128, AdamW + clip",
    "gpt_small": "GPT, 4 layers, C 128, T 64, B 12, AdamW + clip",
    "gpt_medium": "GPT, 6 layers, C 384, T 256, B 8, AdamW + clip",
    "epilogue_32m": "AdamW + clip + EMA alone, 32 M parameters",
}
WORKLOADS = [*TITLES, *PRODUCTS]
# Where a floating-point reference in f64 takes more memory or time than it is worth, f32 ones agree.
NO_REFERENCE = {"gpt_medium", "epilogue_32m"}

# How far our numbers may be from the reference, relative to the largest of the row. AdamW divides by the
# root of a tiny second moment, so its first steps carry rounding differences of gradients into weights.
TOLERANCE = {"sgemm": 1e-5, "add_8x8": 1e-6, "node_8x8": 1e-6}


def tolerance(workload):
    return TOLERANCE.get(workload, TOLERANCE["sgemm"] if is_product(workload) else 5e-3)


def is_product(workload):
    return workload.startswith("sgemm_")


def sizes(workload):
    return [int(s) for s in workload.split("_")[2].split("x")]


def title(workload):
    if not is_product(workload):
        return TITLES[workload]
    m, n, k = sizes(workload)
    return f"sgemm {workload.split('_')[1].upper()} {m} x {n} x {k}"


def flops(workload):
    """Of an iteration, or None where time is not arithmetic."""
    if not is_product(workload):
        return None
    m, n, k = sizes(workload)
    return 2.0 * m * n * k


def moved_bytes(workload):
    """Read and written: 4 for the norm's pass over the gradients, 4 + 8 for each of p, m, v and the average."""
    return 40.0 * 32e6 if workload == "epilogue_32m" else None
