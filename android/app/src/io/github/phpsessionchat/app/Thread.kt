package io.github.phpsessionchat.app

import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import io.github.phpsessionchat.Entry
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.RepliesPage
import io.github.phpsessionchat.android.ChatRequestException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.launch

/** Returns the number of the thread that a message belongs to, or would start. */
val Message.threadNumber get() = if (thread == 0L) seq else thread

/** The loaded replies of a thread, oldest first. */
data class Replied(val root: Message, val messages: List<Message>, val isFollowing: Boolean, val isComplete: Boolean) {
    /** Adds older replies, or the newest ones. */
    fun plus(page: RepliesPage): Replied {
        val isOlder = (page.messages.lastOrNull()?.seq ?: 0) < (messages.firstOrNull()?.seq ?: 0)
        val hasGap = !isOlder && (page.messages.firstOrNull()?.seq ?: 0) > (messages.lastOrNull()?.seq ?: 0)
        if (hasGap) return Replied(page)
        val all = (messages + page.messages).associateBy(Message::seq).values.sortedBy(Message::seq)
        return Replied(page.root, all, page.following, if (isOlder) page.complete else isComplete || page.complete)
    }

    /**
     * Returns the lines of the thread. The open conversation has newer states of its messages, and unsent replies.
     *
     * @param conversation the lines of the conversation
     */
    fun entries(conversation: List<Entry>): List<Entry> {
        val current = conversation.associateBy { it.message?.seq }
        val stored = messages.map { current[it.seq] ?: Entry.of(it) }
        val known = messages.mapTo(mutableSetOf(root.seq)) { it.seq }
        val newest = messages.lastOrNull()?.seq ?: root.seq
        val more = conversation.filter { entry ->
            val message = entry.message
            if (message == null) entry.replyTo in known
            else message.seq > newest && message.thread == root.threadNumber
        }
        return stored + more
    }
}

fun Replied(page: RepliesPage) = Replied(page.root, page.messages, page.following, page.complete)

/** Loads the replies of a thread. */
class ThreadLoader(private val scope: CoroutineScope, private val load: suspend (before: Long) -> RepliesPage) {
    var replied by mutableStateOf<Replied?>(null)
        private set
    var hasFailed by mutableStateOf(false)
        private set
    private var loading: Job? = null

    fun loadNewest() = load(0)

    fun loadOlder() {
        if (loading?.isActive != true) load(replied?.messages?.firstOrNull()?.seq ?: 0)
    }

    private fun load(before: Long) {
        hasFailed = false
        loading = scope.launch {
            try {
                val page = load.invoke(before)
                replied = replied?.plus(page) ?: Replied(page)
            } catch (_: ChatRequestException) {
                hasFailed = true
            }
        }
    }
}
