package io.github.phpsessionchat;

import org.json.JSONObject;

/** The result of a request. Called on the chat's thread. */
interface Reply {
  void ok(JSONObject data);

  void failed(ChatError error);
}
