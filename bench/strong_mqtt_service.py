# SPDX-License-Identifier: Apache-2.0
"""The Python MQTT service as somebody who measures would write it: the same four features, without what costs most (a
window function made anew, SciPy's checks, labels looked up for each message, QoS 1 for the answer). Argument: the port."""
import sys

import numpy as np
import paho.mqtt.client as mqtt

HANN = np.hanning(2048).astype(np.float32)


def on_message(client, _, message):
    x = np.frombuffer(message.payload, dtype=np.float32)
    square = x * x
    rms = float(np.sqrt(square.mean()))
    centred = x - x.mean()
    second = centred * centred
    kurtosis = float((second * second).mean() / second.mean() ** 2 - 3.0)
    peak = int(np.abs(np.fft.rfft(x * HANN)).argmax())
    crest = float(np.sqrt(square.max())) / max(rms, 1e-9)
    client.publish("out/p1", b'{"rms":%g,"kurt":%g,"crest":%g,"pk":%d}' % (rms, kurtosis, crest, peak), 0)


version = getattr(mqtt, "CallbackAPIVersion", None)
client = mqtt.Client(version.VERSION2, "strong") if version else mqtt.Client("strong")
client.on_message = on_message
client.max_inflight_messages_set(0)
client.connect("127.0.0.1", int(sys.argv[1]))
client.subscribe("in/#", 0)
client.loop_forever()
