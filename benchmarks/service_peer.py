"""The peer of service_load.py: FastAPI and ONNX Runtime as one puts them together by hand, without recbook.

It knows the histories of its customers and the file of the model, and keeps nothing: no events, no impressions, no
versions, no stock.
"""

import numpy as np


def serve(model, histories, listening):
    """Answer GET /recommend?user=NUMBER&k=10 on that socket.

    model : path of the ONNX file. histories : path of an array (users, L), oldest first, then -1.
    """
    import onnxruntime
    import uvicorn
    from fastapi import FastAPI

    app, known = FastAPI(), np.load(histories)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1                                    # as on the other side: an answer, a core
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    @app.get("/recommend")
    def recommend(user: int, k: int = 10):
        (scores,) = session.run(["scores"], {"items": known[user:user + 1]})
        best = np.argpartition(scores[0], -k)[-k:]
        return {"items": best[np.argsort(-scores[0, best])].tolist()}

    @app.get("/ready")
    def ready():
        return {"status": "ready"}

    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listening])
