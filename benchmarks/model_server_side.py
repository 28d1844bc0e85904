"""Both ends of model_server.py that know nothing of recbook: KServe's server, and tritonclient, which asks it.

They run in the servers' own environment (requirements-servers.txt): KServe wants an older pandas than the book.
"""

import json
import sys
from pathlib import Path

import numpy as np

MODEL = "gru"


def serve(folder, port):
    """Answer the Open Inference Protocol on loopback with the ONNX file, until killed."""
    import onnxruntime
    from kserve import InferOutput, InferResponse, Model, ModelServer
    from kserve.errors import InvalidInput

    class Exported(Model):
        def __init__(self):
            super().__init__(MODEL)
            self.session = onnxruntime.InferenceSession(folder / f"{MODEL}.onnx", providers=["CPUExecutionProvider"])
            self.ready = True

        async def get_input_types(self):
            return [{"name": each.name, "datatype": "INT64", "shape": [-1, -1]} for each in self.session.get_inputs()]

        async def get_output_types(self):
            return [{"name": "scores", "datatype": "FP32", "shape": [-1, self.session.get_outputs()[0].shape[1]]}]

        def predict(self, payload, headers=None, response_headers=None):
            wanted = [each.name for each in self.session.get_inputs()]
            if [each.name for each in payload.inputs] != wanted:
                raise InvalidInput(f"the model is told {wanted}")       # 400, and not the 500 of a fault within
            (scores,) = self.session.run(["scores"], {each.name: each.as_numpy() for each in payload.inputs})
            output = InferOutput("scores", list(scores.shape), "FP32")
            output.set_data_from_numpy(scores, binary_data=True)
            return InferResponse(payload.id or "", self.name, [output])                     # it asks for a name

    ModelServer(http_port=int(port), enable_grpc=False, workers=1, access_log_format=None).start([Exported()])


def ask(folder, port):
    """Ask every question in `questions.npz`; the scores go into `told.npz`, what else was learned to standard output."""
    from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
    from tritonclient.utils import InferenceServerException

    client = InferenceServerClient(f"127.0.0.1:{port}")
    learned = {"metadata": client.get_model_metadata(MODEL), "ready": client.is_model_ready(MODEL)}
    questions, told = np.load(folder / "questions.npz"), {}
    for name in questions.files:
        items = InferInput("items", questions[name].shape, "INT64")
        items.set_data_from_numpy(questions[name])
        told[name] = client.infer(MODEL, [items], outputs=[InferRequestedOutput("scores")]).as_numpy("scores")
    np.savez(folder / "told.npz", **told)
    refused = {}
    for what, model, name in (("another model", "unicorn", "items"), ("another input", MODEL, "histories")):
        wrong = InferInput(name, [1, 2], "INT64")
        wrong.set_data_from_numpy(np.array([[1, 2]]))
        try:
            client.infer(model, [wrong])
        except InferenceServerException as problem:
            refused[what] = str(problem)
    print(json.dumps(learned | {"refused": refused}))


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
