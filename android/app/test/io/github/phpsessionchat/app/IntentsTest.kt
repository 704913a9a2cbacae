package io.github.phpsessionchat.app

import android.app.PendingIntent
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.os.Parcel
import android.os.Parcelable
import io.github.phpsessionchat.android.ChatNotifications
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** Cannot be read, because it has no `CREATOR`. */
private class UnreadableExtra : Parcelable {
    override fun describeContents() = 0

    override fun writeToParcel(parcel: Parcel, flags: Int) = parcel.writeInt(1)
}

/** What other apps can make the app do. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = ChatApplication::class)
class IntentsTest {
    private val app = RuntimeEnvironment.getApplication() as ChatApplication
    private val openRoom get() = app.chat.conversation.value?.room

    private fun open(intent: Intent) {
        Robolectric.buildActivity(MainActivity::class.java, intent.setClass(app, MainActivity::class.java)).create()
    }

    private fun link(address: String) = Intent(Intent.ACTION_VIEW, Uri.parse(address))

    private fun share(file: String) = Intent(Intent.ACTION_SEND).putExtra(Intent.EXTRA_STREAM, Uri.parse(file))

    private fun appsFor(intent: Intent) =
        app.packageManager.queryIntentActivities(intent.addCategory(Intent.CATEGORY_BROWSABLE), 0).map { it.activityInfo.name }

    /** A notification's extras, which other apps may know. */
    private fun notification(sender: PendingIntent?) = Intent("den")
        .putExtra("io.github.phpsessionchat.room", "den")
        .putExtra("io.github.phpsessionchat.sender", sender)

    @After
    fun forget() {
        OpenedLink.close()
        Shared.close()
    }

    @Test
    fun opensTheRoomOfAnOwnNotificationOnly() {
        val sender = PendingIntent.getActivity(app, 0, Intent(app, MainActivity::class.java), PendingIntent.FLAG_IMMUTABLE)
        open(notification(null))
        assertNull(openRoom)
        shadowOf(sender).setCreatorPackage("org.example.other")
        open(notification(sender))
        assertNull(openRoom)
        shadowOf(sender).setCreatorPackage(app.packageName)
        open(notification(sender))
        assertEquals("den", openRoom)
    }

    @Test
    fun asksBeforeJoiningTheRoomOfAMention() {
        val sender = PendingIntent.getActivity(app, 0, Intent(app, MainActivity::class.java), PendingIntent.FLAG_IMMUTABLE)
        open(notification(sender).putExtra("io.github.phpsessionchat.seq", 7L))
        assertNull(openRoom)
        assertEquals("link to den/7", "${OpenedLink.waiting}")
    }

    @Test
    fun receivesLinksToTheChatPage() {
        assertEquals(listOf(MainActivity::class.java.name), appsFor(link("https://www.example.org/chat/#m=den/7")))
        assertEquals(emptyList<String>(), appsFor(link("https://www.example.org/")))
        assertEquals(emptyList<String>(), appsFor(link("https://chat.example/chat/#m=den/7")))
        open(link("https://www.example.org/chat/#m=den/7"))
        assertEquals("den", OpenedLink.waiting?.room)
        assertEquals(7L, OpenedLink.waiting?.seq)
        open(link("https://www.example.org/chat/#join=abc"))
        assertEquals("abc", OpenedLink.waiting?.token)
        // Nothing is opened before the screen has checked the link.
        assertNull(openRoom)
    }

    @Test
    fun ignoresOtherAddresses() {
        for (address in listOf(
            "https://www.example.org/chat/",
            "https://www.example.org/other/#m=den/7",
            "https://chat.example/chat/#m=den/7",
            "http://www.example.org/chat/#m=den/7",
            "https://www.example.org/chat/?a#m=den/7",
            "https://www.example.org/chat/#m=../7",
            "io.github.phpsessionchat.app:#m=den/7",
        )) {
            open(link(address))
            assertNull(address, OpenedLink.waiting)
        }
    }

    @Test
    fun copiedLinksOpenInTheApp() {
        open(link(linkTo("den", 7, app)))
        assertEquals("link to den/7", "${OpenedLink.waiting}")
    }

    @Test
    fun anInvitationIsNotShownToTheNextUser() {
        open(link("https://www.example.org/chat/#join=abc"))
        OpenedLink.showTo("1")
        OpenedLink.showTo("1")
        assertEquals("abc", OpenedLink.waiting?.token)
        OpenedLink.showTo("2")
        assertNull(OpenedLink.waiting)
    }

    /** Opens the app with an intent, and ends the process. @return what Android has saved */
    private fun openAndEnd(intent: Intent, user: String? = null): Bundle {
        val activity = Robolectric.buildActivity(MainActivity::class.java, intent.setClass(app, MainActivity::class.java)).create()
        if (user != null) for (incoming in listOf(Shared, OpenedLink)) incoming.showTo(user)
        val saved = Bundle()
        activity.saveInstanceState(saved)
        forget()
        val parcel = Parcel.obtain()
        parcel.writeBundle(saved)
        parcel.setDataPosition(0)
        return parcel.readBundle(javaClass.classLoader)!!
    }

    private fun openAgain(saved: Bundle) {
        // Android repeats the intent that first opened the activity.
        Robolectric.buildActivity(MainActivity::class.java, Intent(Intent.ACTION_MAIN)).create(saved)
    }

    @Test
    fun sharedContentWaitsUntilTheNextProcess() {
        openAgain(openAndEnd(share("content://gallery/17").putExtra(Intent.EXTRA_TEXT, "Look")))
        assertEquals(Shared("Look", listOf(Uri.parse("content://gallery/17"))), Shared.waiting)
    }

    @Test
    fun aVeryLongSharedTextDoesNotEndTheApp() {
        val saved = openAndEnd(Intent(Intent.ACTION_SEND).putExtra(Intent.EXTRA_TEXT, "x".repeat(400_000)))
        val parcel = Parcel.obtain()
        parcel.writeBundle(saved)
        assertTrue("${parcel.dataSize()} bytes", parcel.dataSize() < 200_000)
    }

    @Test
    fun linksWaitUntilTheNextProcess() {
        for (link in listOf("m=den/7", "m=den")) {
            openAgain(openAndEnd(link("https://www.example.org/chat/#$link")))
            assertEquals("link to ${link.drop(2)}", "${OpenedLink.waiting}")
            OpenedLink.close()
        }
        openAgain(openAndEnd(link("https://www.example.org/chat/#join=abc")))
        assertEquals("abc", OpenedLink.waiting?.token)
    }

    @Test
    fun contentThatAUserHasSeenIsNotShownToTheNextUserOfTheNextProcess() {
        openAgain(openAndEnd(share("content://gallery/17"), user = "1"))
        Shared.showTo("1")
        assertEquals(1, Shared.waiting?.files?.size)
        Shared.showTo("2")
        assertNull(Shared.waiting)
    }

    @Test
    fun usedContentDoesNotReturn() {
        val activity = Robolectric.buildActivity(MainActivity::class.java, share("content://gallery/17").setClass(app, MainActivity::class.java)).create()
        Shared.close()
        val saved = Bundle()
        activity.saveInstanceState(saved)
        openAgain(saved)
        assertNull(Shared.waiting)
    }

    @Test
    fun sharedContentWaitsForARoom() {
        app.chat.open("den")
        open(share("content://gallery/17").putExtra(Intent.EXTRA_TEXT, "Look"))
        assertEquals(Shared("Look", listOf(Uri.parse("content://gallery/17"))), Shared.waiting)
        assertNull(openRoom)
    }

    @Test
    fun receivesSeveralFiles() {
        val files = listOf("content://gallery/17", "content://gallery/18").map(Uri::parse)
        val own = Uri.parse("content://io.github.phpsessionchat.app.files/downloads/a/plan.pdf")
        val share = Intent(Intent.ACTION_SEND_MULTIPLE).setType("image/jpeg")
        assertEquals(1, app.packageManager.queryIntentActivities(Intent(share).setPackage(app.packageName), 0).size)
        open(share.putParcelableArrayListExtra(Intent.EXTRA_STREAM, ArrayList(files + own)))
        assertEquals(Shared("", files), Shared.waiting)
    }

    @Test
    fun ignoresExtrasThatCannotBeRead() {
        for (action in listOf(Intent.ACTION_SEND, Intent.ACTION_SEND_MULTIPLE, Intent.ACTION_VIEW, "den")) {
            val intent = Intent(action).setClass(app, MainActivity::class.java)
            for (name in listOf(Intent.EXTRA_TEXT, Intent.EXTRA_STREAM, "io.github.phpsessionchat.sender", "io.github.phpsessionchat.room")) {
                intent.putExtra(name, UnreadableExtra())
            }
            val sent = Parcel.obtain()
            intent.writeToParcel(sent, 0)
            sent.setDataPosition(0)
            open(Intent.CREATOR.createFromParcel(sent))
            assertNull(Shared.waiting)
            assertNull(openRoom)
        }
    }

    @Test
    fun sharedContentIsNotShownToTheNextUser() {
        open(share("content://gallery/17"))
        Shared.showTo("1")
        Shared.showTo("2")
        assertNull(Shared.waiting)
    }

    @Test
    fun doesNotSendItsOwnFiles() {
        for (file in listOf(
            "file:///data/data/io.github.phpsessionchat.app/files/outbox/1",
            "content://io.github.phpsessionchat.app.files/downloads/a/plan.pdf",
            "content://0@io.github.phpsessionchat.app.files/downloads/a/plan.pdf",
            "content:///a",
        )) {
            open(share(file))
            assertNull(file, Shared.waiting)
        }
    }
}
