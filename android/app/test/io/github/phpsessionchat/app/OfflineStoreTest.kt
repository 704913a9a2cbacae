package io.github.phpsessionchat.app

import io.github.phpsessionchat.Samples
import io.github.phpsessionchat.User
import io.github.phpsessionchat.android.OfflineStore
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
class OfflineStoreTest {
    private val me = Samples.alice
    private val folder = File(RuntimeEnvironment.getApplication().filesDir, "offline")

    private fun store(user: User = me) = OfflineStore(folder).apply { openFor(user.id) }

    private fun OfflineStore.textsOf(room: String) = messages(room).map { it.text }

    /** Returns whether anything remains that names the user or a message. */
    private fun isEmpty() = folder.walk().none { it.isFile && it.name != "user" }

    @Test
    fun keepsRoomsAndMessagesAfterARestart() {
        store().apply {
            putRooms(me, Samples.rooms)
            putMessages(me, "lobby", Samples.messages(60))
        }
        val next = OfflineStore(folder)
        assertEquals(me, next.rooms()?.me?.user)
        assertEquals(Samples.rooms.map { it.id }, next.rooms()?.rooms?.map { it.id })
        assertEquals((11..60).map { "Message $it" }, next.textsOf("lobby"))
        assertEquals(emptyList<String>(), next.textsOf("market"))
    }

    @Test
    fun deletesEverythingAtTheLogout() {
        val store = store()
        store.putRooms(me, Samples.rooms)
        store.putMessages(me, "lobby", Samples.messages(1))
        store.clear()
        assertFalse(folder.exists())
        // A save that was still queued at the logout.
        store.putMessages(me, "lobby", Samples.messages(1))
        store.putRooms(me, Samples.rooms)
        assertFalse(folder.exists())
    }

    @Test
    fun deletesTheCopyOfAnotherUser() {
        store().apply {
            putRooms(me, Samples.rooms)
            putMessages(me, "lobby", Samples.messages(1))
        }
        val next = store(Samples.bob)
        assertTrue(isEmpty())
        next.putRooms(me, Samples.rooms)
        next.putMessages(me, "lobby", Samples.messages(1))
        assertTrue(isEmpty())
        assertNull(next.rooms())
    }

    @Test
    fun deletesTheMessagesOfRoomsThatTheUserHasLeft() {
        val store = store()
        store.putMessages(me, "market", Samples.messages(1))
        store.putMessages(me, "lobby", Samples.messages(1))
        store.putRooms(me, Samples.rooms.filter { it.id != "market" })
        assertEquals(emptyList<String>(), store.textsOf("market"))
        assertEquals(listOf("Message 1"), store.textsOf("lobby"))
    }

    @Test
    fun isBounded() {
        val store = store()
        store.putRooms(me, List(300) { Samples.rooms[0] })
        assertEquals(200, store.rooms()?.rooms?.size)
        val large = Samples.messages(50, "x".repeat(9_000))
        for (room in 1..30) {
            store.putMessages(me, "room$room", large)
            File(folder, "messages-room$room").setLastModified(room * 1_000L)
        }
        assertEquals((11..30).toSet(), (1..29).filter { store.messages("room$it").isNotEmpty() }.toSet() + 30)
        assertEquals(12, store.messages("room30").size)
        assertTrue(folder.walk().filter { it.isFile }.all { it.length() <= 128 * 1024 })
    }

    @Test
    fun discardsDamagedFiles() {
        val store = store()
        store.putRooms(me, Samples.rooms)
        store.putMessages(me, "lobby", Samples.messages(1))
        for (damage in listOf("", "{", "{}", "[]", "\u0000", "x".repeat(200_000))) {
            val files = folder.listFiles()!!.filter { it.name != "user" }
            for (file in files) file.writeText(damage)
            assertNull(store.rooms())
            assertEquals(emptyList<String>(), store.textsOf("lobby"))
            assertTrue(files.none { it.exists() })
            store.putRooms(me, Samples.rooms)
            store.putMessages(me, "lobby", Samples.messages(1))
        }
    }
}
