/**
 * The client of a chat server for sites in PHP. {@link io.github.phpsessionchat.Chat} is where an app begins.
 *
 * <p>Nothing here is null, unless it is {@link org.jspecify.annotations.Nullable}.
 */
@NullMarked
package io.github.phpsessionchat;

import org.jspecify.annotations.NullMarked;
