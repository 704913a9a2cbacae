/**
 * Java and Android client for the chat server. Start with {@link io.github.phpsessionchat.Chat}.
 *
 * <p>Types are non-null unless annotated with {@link org.jspecify.annotations.Nullable}.
 */
@NullMarked
package io.github.phpsessionchat;

import org.jspecify.annotations.NullMarked;
