package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** An {@link Outbox} in memory. Messages are lost when the process ends. */
public final class MemoryOutbox implements Outbox {
  private final Map<String, Map<String, UnsentMessage>> users = new HashMap<>();

  /** Creates an outbox without messages. */
  public MemoryOutbox() {}

  @Override
  public synchronized List<UnsentMessage> load(String user) {
    return new ArrayList<>(of(user).values());
  }

  @Override
  public synchronized void put(String user, UnsentMessage message) {
    Map<String, UnsentMessage> messages = users.get(user);
    if (messages == null) users.put(user, messages = new LinkedHashMap<>());
    messages.put(message.clientId, message);
  }

  @Override
  public synchronized void remove(String user, String clientId) {
    if (users.containsKey(user)) users.get(user).remove(clientId);
  }

  @Override
  public synchronized void keepOnly(@Nullable String user) {
    users.keySet().retainAll(Collections.singleton(user));
  }

  private Map<String, UnsentMessage> of(String user) {
    Map<String, UnsentMessage> messages = users.get(user);
    return messages == null ? Collections.<String, UnsentMessage>emptyMap() : messages;
  }
}
