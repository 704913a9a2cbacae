package io.github.phpsessionchat.app

import android.os.Bundle
import android.os.Parcel
import io.github.phpsessionchat.android.AndroidChat
import io.github.phpsessionchat.android.WebViewCookies
import java.io.File
import okhttp3.OkHttpClient
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
class NavigationTest {
    private val chat = newChat()
    private val navigation = Navigation(chat, null)

    private fun newChat(): AndroidChat {
        val http = OkHttpClient.Builder().cookieJar(WebViewCookies()).build()
        return AndroidChat("https://chat.invalid/", http, File(RuntimeEnvironment.getApplication().filesDir, "outbox"))
    }

    private fun Navigation.screens() = stack.map { it.screen }

    @Test
    fun returnsToTheScreenBelow() {
        navigation.openRoom("lobby")
        navigation.open(Screen.Search)
        navigation.open(Screen.Search)
        navigation.back()
        assertEquals(listOf(Screen.Search), navigation.screens())
        navigation.back()
        assertEquals(emptyList<Screen>(), navigation.screens())
        assertEquals("lobby", chat.conversation.value?.room)
    }

    @Test
    fun closesAllScreensWhenARoomIsOpened() {
        navigation.openRoom("lobby")
        navigation.open(Screen.Search)
        navigation.openRoom("lobby")
        assertEquals(emptyList<Screen>(), navigation.screens())
    }

    @Test
    fun showsTheSameScreensAfterTheEndOfTheProcess() {
        navigation.openRoom("lobby")
        navigation.open(Screen.Search)
        val saved = Bundle().also(navigation::save).throughParcel()
        val next = newChat()
        val restored = Navigation(next, saved)
        assertEquals(listOf<Screen>(Screen.Search), restored.screens())
        assertEquals("lobby", next.conversation.value?.room)
    }

    @Test
    fun keepsTheDataOfScreensAfterTheEndOfTheProcess() {
        val screens = listOf(Screen.RoomDetails("lobby"), Screen.Person("lobby", "2", "Bob"), Screen.Thread("lobby", 4))
        screens.forEach(navigation::open)
        val saved = Bundle().also(navigation::save).throughParcel()
        assertEquals(screens, Navigation(newChat(), saved).screens())
    }

    @Test
    fun showsTheRoomIfAnUpdateOfTheAppChangedTheScreens() {
        navigation.openRoom("lobby")
        val saved = Bundle().also(navigation::save).apply { putByteArray("screens", byteArrayOf(1, 2, 3)) }
        val next = newChat()
        assertEquals(emptyList<Screen>(), Navigation(next, saved).screens())
        assertEquals("lobby", next.conversation.value?.room)
    }

    @Test
    fun closesTheScreensOfARoomThatIsNoLongerOpen() {
        navigation.open(Screen.Search)
        navigation.open(Screen.RoomDetails("lobby"))
        navigation.keepScreensOf("lobby")
        assertEquals(2, navigation.stack.size)
        navigation.keepScreensOf(null)
        assertEquals(listOf<Screen>(Screen.Search), navigation.screens())
    }

    private fun Bundle.throughParcel(): Bundle {
        val parcel = Parcel.obtain()
        parcel.writeBundle(this)
        parcel.setDataPosition(0)
        return parcel.readBundle(javaClass.classLoader)!!
    }
}
