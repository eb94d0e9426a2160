"""The names of what a scorer or a judge is given, as people may know them from elsewhere."""

OTHERWISE = {
    **dict.fromkeys(("question", "query", "prompt", "user_input", "instruction"), "input"),
    **dict.fromkeys(("answer", "response", "prediction", "completion", "generation", "actual_output"), "output"),
    **dict.fromkeys(("reference", "ground_truth", "target", "ideal", "gold", "expected_output"), "expected"),
    **dict.fromkeys(("contexts", "documents", "retrieved_contexts", "retrieval_context"), "context"),
    **dict.fromkeys(("conversation", "history", "messages"), "session"),
}
"""What other tools call the things that are judged, and what they are called here."""
