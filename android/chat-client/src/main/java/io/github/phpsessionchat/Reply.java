package io.github.phpsessionchat;

import org.json.JSONObject;

/** The result of a request, on the chat's own thread. */
interface Reply {
  void ok(JSONObject data);

  void failed(ChatError error);
}
