package io.github.phpsessionchat.android

import io.github.phpsessionchat.Outbox
import io.github.phpsessionchat.UnsentMessage
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update

/** Knows which messages of an outbox will still be sent. */
internal class UnsentMessages(private val outbox: Outbox) : Outbox by outbox {
    private val mutableIds = MutableStateFlow<Set<String>?>(null)

    /** The `clientId` of each message that will be sent; null until the outbox of the user was read. */
    val ids: StateFlow<Set<String>?> = mutableIds.asStateFlow()

    override fun keepOnly(user: String?) {
        mutableIds.value = null
        outbox.keepOnly(user)
    }

    override fun load(user: String): List<UnsentMessage> {
        val messages = outbox.load(user)
        mutableIds.update { it.orEmpty() + messages.filter(::willBeSent).map(UnsentMessage::clientId) }
        return messages
    }

    override fun put(user: String, message: UnsentMessage) {
        // A failed message waits for the user, whether or not its failure can be stored.
        if (!willBeSent(message)) forget(message.clientId)
        outbox.put(user, message)
        if (willBeSent(message)) mutableIds.update { it.orEmpty() + message.clientId }
    }

    override fun remove(user: String, clientId: String) {
        outbox.remove(user, clientId)
        forget(clientId)
    }

    private fun willBeSent(message: UnsentMessage) = message.failed == null

    private fun forget(clientId: String) = mutableIds.update { it?.minus(clientId) }
}
