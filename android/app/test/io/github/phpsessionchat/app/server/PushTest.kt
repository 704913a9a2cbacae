package io.github.phpsessionchat.app.server

import android.Manifest
import android.app.Notification
import android.app.Person
import android.app.RemoteInput
import android.content.Intent
import android.os.Bundle
import androidx.core.app.NotificationCompat
import io.github.phpsessionchat.ConnectionState
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.launch
import org.junit.Assert.assertEquals
import org.junit.Test
import org.robolectric.Shadows.shadowOf

class PushTest : NotificationTest() {
    private fun textOf(notification: Notification) = notification.extras.getString(Notification.EXTRA_TEXT)

    private fun lastTextOf(notification: Notification) =
        NotificationCompat.MessagingStyle.extractMessagingStyleFromNotification(notification)?.messages?.last()?.text

    @Test
    fun showsTheMessageOfAPushAndSendsTheAnswer() {
        shadowOf(app).grantPermissions(Manifest.permission.POST_NOTIFICATIONS)
        setCookie()
        push("room" to System.getProperty("chat.room")!!, "seq" to "1", "unread" to "1")
        val notification = shown().single()
        assertEquals("Den", notification.extras.getString(Notification.EXTRA_CONVERSATION_TITLE))
        assertEquals("Are you there?", notification.extras.getString(Notification.EXTRA_TEXT))

        val person = notification.extras.getParcelable(Notification.EXTRA_MESSAGING_PERSON, Person::class.java)
        assertEquals("Dora", person?.name)

        val (reply, read) = notification.actions
        val answer = Intent()
        RemoteInput.addResultsToIntent(reply.remoteInputs, answer, Bundle().apply { putString("reply", "On my way") })
        // Another push at the same time must not end the connection for the answer.
        MainScope().launch { app.notifications.show(mapOf("room" to "nowhere", "seq" to "1", "unread" to "1")) }
        reply.actionIntent.send(app, 0, answer)
        awaitMain { lastTextOf(shown().single()) == "On my way" }
        awaitMain { shown().isEmpty() }
        println("the app answers")
        awaitMain { app.chat.rooms.value.any { it.last?.text == "On my way" } }

        // The own answer is not unread. The other side writes again.
        println("the app waits for another message")
        awaitMain { app.chat.connection.value == ConnectionState.Kind.STOPPED }
        do push("room" to System.getProperty("chat.room")!!, "seq" to "3", "unread" to "1") while (shown().isEmpty())
        assertEquals("Bring the ladder", shown().single().extras.getString(Notification.EXTRA_TEXT))
        assertEquals("Mark as read", read.title)
        shown().single().actions.last().actionIntent.send()
        awaitMain { shown().isEmpty() }
        println("the app marks the message as read")
        awaitMain { app.chat.connection.value == ConnectionState.Kind.STOPPED }

        println("the app waits for a reply in a thread")
        do push("room" to System.getProperty("chat.room")!!, "seq" to "4", "unread" to "1") while (shown().isEmpty())
        assertEquals("The blue one", shown().single().extras.getString(Notification.EXTRA_TEXT))
        // An answer would be written to the room.
        assertEquals(listOf("Mark as read"), shown().single().actions.map { it.title })

        println("the app waits for a message that only moderators may answer")
        do push("room" to System.getProperty("chat.room")!!, "seq" to "5", "unread" to "1") while (textOf(shown().single()) != "Closing now")
        val late = Intent()
        RemoteInput.addResultsToIntent(reply.remoteInputs, late, Bundle().apply { putString("reply", "Wait for me") })
        shown().single().actions.first().actionIntent.send(app, 0, late)
        awaitMain { shown().any { it.extras.getString(Notification.EXTRA_TITLE) == "Not sent." && textOf(it) == "Wait for me" } }

        push("expired" to "true")
        assertEquals("Log in again to continue.", shown().single().extras.getString(Notification.EXTRA_TEXT))
    }
}
