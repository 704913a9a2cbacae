package io.github.phpsessionchat

import io.github.phpsessionchat.android.MemberChanges
import io.github.phpsessionchat.app.Person
import io.github.phpsessionchat.app.Site
import io.github.phpsessionchat.app.TeamQuestion
import io.github.phpsessionchat.app.offeredActions
import io.github.phpsessionchat.app.UserSettings
import java.io.File
import java.time.LocalDate
import java.time.ZoneId
import org.json.JSONArray
import org.json.JSONObject

/** Rooms and messages as the server would send them. In the library's package, because apps cannot create them. */
object Samples {
    val alice = User("1", "Alice Moreau")
    val bob = User("2", "Bob Keller")
    private val li = User("3", "李伟")
    private val layla = User("4", "ليلى حداد")

    /** Today at noon, so that screenshots always show the same times. */
    private val now = LocalDate.now().atTime(12, 0).atZone(ZoneId.systemDefault()).toInstant().toEpochMilli()
    private const val MINUTE = 60_000L

    private fun json(user: User) = JSONObject().put("id", user.id).put("name", user.name)

    private fun last(author: User, text: String, minutes: Long) = JSONObject()
        .put("seq", 1).put("user", json(author)).put("text", text).put("sentAt", now - minutes * MINUTE)

    private fun room(id: String, name: String, kind: String, unread: Int = 0, with: User? = null, member: Boolean = true) =
        JSONObject()
            .put("id", id).put("name", name).put("kind", kind).put("member", member)
            .put("may", JSONArray(listOf("send"))).put("head", 20).put("lastSeq", 20).put("readSeq", 20 - unread)
            .apply { if (with != null) put("with", json(with)) }

    val site = Site("Orchard Lane", "https://chat.invalid/site/logo.png")

    val rooms: List<RoomSummary> = listOf(
        room("lobby", "lobby", "public").put("last", last(bob, "Me, I will hang it back", 3)),
        room("d2", "", "direct", unread = 1, with = bob).put("last", last(bob, "I have the key with me", 5)),
        room("market", "spring market", "private", unread = 14).put("mentions", 1)
            .put("last", last(li, "我十点到,带两箱育苗盆。", 8)),
        room("d4", "", "direct", with = layla).put("last", last(alice, "Thank you!", 30 * 60)),
        room("board", "board", "private").put("color", "orange").put("emoji", "🌱"),
        room("garden", "garden-volunteers", "public", member = false),
    ).map(RoomSummary::fromJson)

    /** Two favourites, and two archived rooms, one of them with unread messages. */
    val arrangedRooms: List<RoomSummary> = listOf(
        room("lobby", "lobby", "public"),
        room("market", "spring market", "private").put("favourite", 20),
        room("board", "board", "private").put("favourite", 10),
        room("attic", "attic", "private", unread = 3).put("archived", true),
        room("d2", "", "direct", with = bob).put("archived", true),
    ).map(RoomSummary::fromJson)

    val roomWithPicture: RoomSummary =
        RoomSummary.fromJson(room("board", "board", "private").put("emoji", "🌱").put("picture", "0123456789abcdef"))

    /** A question of Layla to the team of the site, which has waited for an hour. @param by who has it */
    fun question(state: String, by: User? = null): Pair<RoomSummary, TeamQuestion> {
        val json = JSONObject().put("state", state).put("asker", json(layla)).put("by", by?.let(::json))
        val room = RoomSummary.fromJson(room("u-question-1", "Where is my order?", "private").put("question", json))
        return Pair(room, TeamQuestion(room.question!!, if (state == "open") now - 60 * MINUTE else 0))
    }

    /** @param text what the site says */
    fun team(text: String?) = Answers.Team(listOf(bob), 2 * 60 * MINUTE, text)

    val manyRooms: List<RoomSummary> = rooms + (1..12).map { RoomSummary.fromJson(room("r$it", "room $it", "private")) }

    private fun message(seq: Long, author: User, text: String, minutes: Long, more: JSONObject.() -> Unit = {}): Message = Message.fromJson(
        JSONObject().put("id", "m$seq").put("room", "lobby").put("seq", seq).put("clientId", "c$seq")
            .put("user", json(author)).put("text", text).put("sentAt", now - minutes * MINUTE).apply(more),
    )

    private fun file(id: String, name: String, type: String) =
        JSONObject().put("id", id).put("name", name).put("type", type).put("size", 245_760)

    private val picture = file("f1", "beds.jpg", "image/jpeg")
        .put("image", JSONObject().put("width", 1200).put("height", 800).put("blur", ""))

    private val stored = listOf(
        message(1, bob, "Morning all. Gate is open, kettle is on.", 26 * 60),
        message(2, bob, "The forecast for Saturday is here: https://weather.example/orchard-lane", 25 * 60) {
            put("reactions", JSONArray(listOf(JSONObject().put("emoji", "👍").put("count", 2).put("mine", true).put("users", JSONArray(listOf("Alice Moreau"))))))
        },
        message(3, li, "我十点到,带两箱育苗盆。", 9) { put("files", JSONArray(listOf(picture, file("f2", "plan.pdf", "application/pdf")))) },
        message(4, alice, "Perfect. I moved the workshop to 14:00 so it stays dry until the end.", 8),
        message(5, alice, "Who has the key to the tool shed?", 8),
        message(6, layla, "المفتاح معي، أراكم في العاشرة.", 3) { put("replyTo", 4).put("thread", 4) },
    )

    val threads: Map<Long, Replies> = mapOf(4L to repliesOf(4, 4, 12, listOf(layla, bob), now - 3 * MINUTE, 2))

    private fun repliesOf(thread: Long, root: Long, count: Int, authors: List<User>, lastAt: Long, unread: Int) = Replies.fromJson(
        JSONObject().put("thread", thread).put("root", root).put("replies", count).put("authors", JSONArray(authors.map(::json)))
            .put("lastAt", lastAt).put("new", unread),
    )

    private fun reply(seq: Long, author: User, text: String, minutes: Long) =
        message(seq, author, text, minutes) { put("replyTo", 4).put("thread", 4) }

    private val answers = (10L..40L).map { reply(it, if (it % 3 == 0L) alice else bob, "Answer $it", 60 - it) }

    /** Returns pages of 10 replies. */
    fun replies(before: Long): RepliesPage {
        val page = answers.filter { before == 0L || it.seq < before }.takeLast(10)
        return RepliesPage(stored[3], threads.getValue(4), true, page, page.first() == answers.first())
    }

    /** The last reply was edited, there is a new reply, and one is not sent yet. */
    val newerEntries: List<Entry> = Entry.list(
        listOf(reply(40, bob, "Answer 40, edited", 20), message(41, bob, "Not in the thread", 2), reply(42, layla, "A new answer", 1)),
        listOf(unsent("p3", "An unsent answer", null, 4)),
        alice,
    )

    /** A message with a reply that is only in the thread, and one whose first message has expired. */
    val threadOnlyEntries: List<Entry> = Entry.list(
        listOf(
            stored[3],
            message(50, bob, "Only in the thread", 1) { put("replyTo", 4).put("thread", 4).put("threadOnly", true) },
            message(51, bob, "The first one left", 1) { put("replyTo", 2).put("thread", 2).put("threadOnly", true) },
        ),
        emptyList(),
        alice,
    )

    val expiredThreads: Map<Long, Replies> = threads + mapOf(2L to repliesOf(2, 51, 1, listOf(bob), now, 0))

    /** A message of a blocked user. */
    val hiddenEntries: List<Entry> = Entry.list(listOf(message(7, bob, "You all know nothing", 2).hidden(true)), emptyList(), alice)

    private val dana = User("9", "Dana Ruiz")
    val seenBy = Answers.SeenBy(listOf(dana), 3)
    val seenByMore = Answers.SeenBy(listOf(dana, bob), 3)
    val reactedBy: Answers.Page<User> = Answers.Page(listOf(dana), null)

    private fun votes(emoji: String, count: Int, mine: Boolean) =
        JSONObject().put("emoji", emoji).put("count", count).put("mine", mine).put("users", JSONArray())

    /** A poll for several answers in which the user voted, and an own event. */
    val pollEntries: List<Entry> = Entry.list(
        listOf(
            message(7, bob, "Which day?", 2) {
                put("poll", JSONObject().put("options", JSONArray(listOf("Friday", "Saturday", "الأحد"))).put("multiple", true))
                put("reactions", JSONArray(listOf(votes("🎉", 3, false), votes("1", 3, true), votes("3", 1, false))))
            },
            message(8, alice, "Summer party", 1) {
                val start = now + 48 * 60 * MINUTE
                put("poll", JSONObject().put("event", JSONObject().put("start", start).put("end", start + 120 * MINUTE).put("place", "Garden")))
            },
        ),
        emptyList(),
        alice,
    )

    /** An own anonymous poll that was ended. */
    val endedEntries: List<Entry> = Entry.list(
        listOf(
            message(9, alice, "Shall we?", 1) {
                put("poll", JSONObject().put("options", JSONArray(listOf("Yes", "No"))).put("anonymous", true).put("endedAt", now))
                put("reactions", JSONArray(listOf(votes("?1", 1, false))))
            },
        ),
        emptyList(),
        alice,
    )

    fun card(state: String, vararg buttons: String): Card = Card.fromJson(
        JSONObject().put("about", "order:4711").put("title", "Order 4711").put("text", "2 × honey").put("state", state)
            .put("image", "/honey.jpg").put("url", "/orders/4711")
            .put("buttons", JSONArray(buttons.map { JSONObject().put("id", it.lowercase()).put("label", it) })),
    )

    val importantEntries: List<Entry> =
        Entry.list(listOf(message(9, bob, "Gate opens at nine.", 1) { put("important", true) }), emptyList(), alice)

    val ownImportantEntries: List<Entry> =
        Entry.list(listOf(message(9, alice, "Gate opens at ten.", 1) { put("important", true) }), emptyList(), alice)

    /** A message of another user that is only a card. */
    val cardEntries: List<Entry> =
        Entry.list(listOf(message(9, bob, "order:4711", 1) { put("card", "order:4711") }), emptyList(), alice)

    val ownEntriesWithPreview: List<Entry> = Entry.list(
        listOf(message(8, alice, "See https://weather.example", 1) { put("preview", JSONObject().put("url", "https://weather.example").put("title", "Weather")) }),
        emptyList(),
        alice,
    )

    /** By the field of a message: a message that has it and one that does not, each below [stored] number 1. */
    val contentByField: Map<String, Pair<List<Entry>, List<Entry>>> by lazy {
        val vectors = JSONArray(File(System.getProperty("vectors"), "content.json").readText())
        (0 until vectors.length()).map(vectors::getJSONObject).associate { vector ->
            val (field, json) = vector.getString("field") to vector.getJSONObject("message")
            val entries = { Entry.list(listOf(stored[0], Message.fromJson(json)), emptyList(), alice) }
            val with = entries()
            json.remove(field)
            field to Pair(with, entries())
        }
    }

    val found: List<Message> = stored.take(3)

    val members: List<RoomMember> = listOf(bob, li, layla).map { RoomMember.fromJson(JSONObject().put("user", json(it)).put("role", "member")) }

    /** A private room with a topic and all rights. */
    val largeRoom: RoomSummary = RoomSummary.fromJson(owned())

    /** The same room, in which only moderators can write. */
    val announcements: RoomSummary = RoomSummary.fromJson(owned().put("write", "moderators"))

    val largeRoomWithPicture: RoomSummary = RoomSummary.fromJson(owned().put("picture", "0123456789abcdef"))

    private fun owned() = room("market", "spring market", "private", unread = 14).put("members", 64).put("topic", "Saturday, 9:00 to 14:00")
        .put("role", "owner").put("notify", "all")
        .put("may", JSONArray(listOf("send", "invite", "update", "remove", "moderate", "pin", "roles", "leave", "delete")))

    /** The same room for a member without rights. */
    val memberRoom: RoomSummary = RoomSummary.fromJson(
        room("market", "spring market", "private").put("members", 64).put("role", "member").put("notify", "all")
            .put("may", JSONArray(listOf("send", "leave"))),
    )

    /** The same room during a timed mute. */
    val quietRoom: RoomSummary = RoomSummary.fromJson(
        room("market", "spring market", "private").put("members", 64).put("role", "member").put("notify", "all").put("quietForMs", 60 * MINUTE),
    )

    fun favourites(vararg positions: Long): List<RoomSummary> =
        positions.mapIndexed { index, position -> RoomSummary.fromJson(room("f${index + 1}", "favourite $index", "private").put("favourite", position)) }

    private fun member(user: User, role: String, present: Boolean) =
        RoomMember.fromJson(JSONObject().put("user", json(user)).put("role", role).put("present", present))

    /** Bob has left the room, Li has come to the chat, and Dana has joined as a moderator. */
    val memberChanges =
        MemberChanges(listOf(alice, li), 2, mapOf(bob.id to null, dana.id to member(dana, "moderator", false)))

    private val present = listOf(member(alice, "owner", true), member(bob, "moderator", true))
    private val absent = listOf(member(li, "member", false), member(layla, "member", false)) +
        (1..60).map { member(User("m$it", "Member $it"), "member", false) }

    /** Returns pages of 20 members. */
    fun membersPage(query: String?, isPresent: Boolean?, cursor: String?): Answers.Page<RoomMember> {
        val all = (if (isPresent == true) present else if (isPresent == false) absent else present + absent)
            .filter { query == null || it.user.name.startsWith(query) }
        return page(all, cursor, 20)
    }

    fun sharedFiles(content: Message.Content, cursor: String?): Answers.Page<Message> =
        Answers.Page(if (content == Message.Content.LINKS) stored.filter { it.seq == 2L } else stored.filter { it.seq == 3L }, cursor)

    private fun pin(seq: Long, author: User, text: String): PinnedMessage =
        PinnedMessage.fromJson(last(author, text, 60 * 24 * 3).put("seq", seq).put("by", json(alice)).put("at", now).put("after", 5))

    val pins: List<PinnedMessage> = listOf(pin(7, bob, "The gate code is on the board"), pin(3, layla, "المفتاح معي، أراكم في العاشرة."))

    private fun scheduled(id: String, text: String, days: Int, failed: String? = null, more: JSONObject.() -> Unit = {}) =
        ScheduledMessage.fromJson(
            JSONObject().put("id", id).put("room", if (failed == null) "lobby" else "gone").put("rev", 1).put("text", text)
                .put("at", now + days * 24 * 60 * MINUTE).apply { if (failed != null) put("failed", JSONObject().put("code", failed)) }
                .apply(more),
        )

    /** A message that waits, and one whose room the user has lost. */
    val scheduled: List<ScheduledMessage> =
        listOf(scheduled("s1", "The gate opens at ten today.", 1), scheduled("s2", "Who brings the ladder?", -1, "unknown_room"))

    val scheduledImportant: ScheduledMessage = scheduled("s3", "Gate opens at nine.", 1) { put("important", true) }

    /** A due reminder, and one of a message that the user can no longer see. */
    val reminders: List<Reminder> =
        listOf(reminder("n1", "lobby", 1, now - MINUTE, stored[0]), reminder("n2", "gone", 2, now + 60 * MINUTE, null))

    /** @param message null if it is not due */
    private fun reminder(id: String, room: String, seq: Long, at: Long, message: Message?) = Reminder.fromJson(
        JSONObject().put("id", id).put("room", room).put("seq", seq).put("at", at)
            .apply { if (message != null) put("due", true).put("message", message.toJsonObject()) },
    )

    private fun invite(id: String, by: User, uses: Int, used: Int): Invite = Invite.fromJson(
        JSONObject().put("id", id).put("by", json(by)).put("at", now).put("until", now + 7 * 24 * 60 * MINUTE)
            .put("uses", uses).put("used", used),
    )

    val invites: List<Invite> = listOf(invite("i1", alice, 50, 0), invite("i2", bob, 0, 3))

    const val INVITE_ADDRESS = "https://www.example.org/chat/#join=Zk3x0Qm1b7vT9yLw2nRc"

    val identity: Identity = Identity.Draft().apply {
        user = alice
        roles = emptySet()
        canCreatePublic = true
        canCreatePrivate = true
        canOpenDirect = true
        canFindPeople = true
        canAsk = true
        canShowPreviews = true
        canAskWhoHasSeen = true
        siteName = "Orchard Lane"
        siteLogo = "site/logo.png"
    }.done()

    val identityOfTeam: Identity = Identity.Draft(identity).apply { canAsk = false }.done()

    val person = Person(
        bob,
        isSelf = false,
        Presence(RoomSummary.Role.MODERATOR, false, now - 26 * 60 * MINUTE, false),
        isBlocked = false,
        canWrite = true,
        canReport = true,
        profile = "https://www.example.org/users/2",
        room = largeRoom,
        offered = offeredActions(bob, RoomSummary.Role.MODERATOR, largeRoom, identity),
    )

    val ban: SiteBan = SiteBan.fromJson(JSONObject().put("until", now + 60 * MINUTE).put("reason", "spam"))

    private fun restriction(user: User, kind: String, more: JSONObject.() -> Unit = {}) =
        Restriction.fromJson(JSONObject().put("user", json(user)).put("kind", kind).put("by", json(alice)).apply(more))

    val restrictions: Answers.Page<Restriction> = Answers.Page(
        listOf(
            restriction(bob, "muted") { put("until", now + 60 * MINUTE).put("reason", "too many offers") },
            restriction(li, "banned"),
        ),
        null,
    )

    val held: List<HeldMessage> = listOf(
        heldMessage("h1", "market", bob, "Cheap pallets, all new: https://pallets.example", now) { put("important", true) },
        heldMessage("h2", "lobby", layla, "المفتاح معي", now - 5 * MINUTE) { put("seq", 6) },
    )

    private fun heldMessage(id: String, room: String, author: User, text: String, at: Long, more: JSONObject.() -> Unit = {}) =
        HeldMessage.fromJson(
            JSONObject().put("id", id).put("room", room).put("user", json(author)).put("text", text).put("at", at).apply(more),
        )

    private fun report(id: String, message: Message, by: User, reason: Report.Reason, text: String? = null) =
        Report.fromJson(
            JSONObject().put("id", id).put("room", message.room).put("message", message.toJsonObject()).put("by", json(by))
                .put("reason", reason.name.lowercase()).put("text", text).put("at", now),
        )

    /** Two reports of one message, and one of another. */
    val reports: List<Report> = listOf(
        report("r1", stored[1], li, Report.Reason.SPAM, "The third time today"),
        report("r2", stored[1], layla, Report.Reason.ABUSE),
        report("r3", stored[2], bob, Report.Reason.OTHER),
    )

    /** Returns pages of 50 rooms. */
    fun publicRooms(query: String?, cursor: String?): Answers.Page<RoomSummary> {
        val all = (1..120).map { RoomSummary.fromJson(room("p$it", "room $it", "public", member = false).put("members", it)) }
            .filter { query == null || query in it.name }
        return page(all, cursor, 50)
    }

    private fun <T : Any> page(all: List<T>, cursor: String?, size: Int): Answers.Page<T> {
        val start = cursor?.toInt() ?: 0
        return Answers.Page(all.drop(start).take(size), "${start + size}".takeIf { start + size < all.size })
    }

    fun found(query: String): Answers.Found =
        Answers.Found(listOf(bob, li, layla).filter { it.name.startsWith(query) }, listOf(bob.id))

    private val notices = JSONObject().put("mail", 15).put("push", true).put("text", "text").put("mailTo", "alice@example.org")
        .put("quiet", JSONObject().put("from", "22:00").put("to", "07:00").put("zone", "Europe/Paris"))

    val noticesWithEarlyEnd: Notices =
        Notices.fromJson(JSONObject(notices.toString()).put("quiet", JSONObject().put("from", "22:00").put("to", "02:30")))

    val noticesWithoutAddress: Notices = Notices.fromJson(JSONObject().put("mail", 15).put("push", true).put("mailTo", JSONObject.NULL))

    val settings = UserSettings(
        Notices.fromJson(notices),
        listOf(Device("d1", Device.Kind.APP, "Pixel 8", now)),
        isHidden = false,
        blocked = listOf(bob),
    )

    fun textOf(change: NoticesChange): String = change.payload.toString()

    val invitation: InvitedRoom = InvitedRoom.fromJson(
        JSONObject().put("by", json(bob)).put("name", "orchard board").put("topic", "Plans for the orchard").put("members", 3)
            .put("present", 1).put("people", JSONArray(listOf(bob, li, layla).map(::json))),
    )

    val uploads: List<Upload> = listOf(
        Upload("u1", "lobby", "plan.pdf", 200_000, 80_000, null, null),
        Upload("u2", "lobby", "seeds.zip", 200_000, 0, null, "file_type"),
    )

    /** Files that cannot be sent. */
    val refusedUploads: List<Upload> = listOf(
        Upload("r1", "lobby", "harvest.mp4", 9_000_000, 0, null, "too_large"),
        Upload("r2", "lobby", "garden.mov", 1_000, 0, null, "file_type"),
    )

    /** Files whose upload was interrupted. */
    val interruptedUploads: List<Upload> = listOf(Upload("i1", "lobby", "harvest.mp4", 9_000_000, 0, null, "interrupted"))

    fun bytesOf(file: NewFile): ByteArray = file.source.open().readBytes()

    fun nameOf(file: NewFile): String = file.name

    fun read(file: NewFile): String = "${file.name}, ${file.size} bytes: ${file.source.open().reader().readText()}"

    fun textOf(change: RoomChange): String = listOf(
        "name" to change.name,
        "topic" to change.topic,
        "emoji" to change.emoji,
        "color" to change.color,
        "picture" to change.picture,
        "write" to change.write?.name?.lowercase(),
        "slow" to change.slow,
        "previews" to change.previews,
        "seen" to change.seen,
    ).filter { (_, value) -> value != null }.joinToString { (name, value) -> "$name=$value" }

    fun textOf(poll: NewPoll): String = poll.toJson().toString()

    fun textOf(edit: MessageEdit): String {
        val request = edit.addTo(JSONObject())
        val mark = if (request.has("important")) ", important: ${request.getBoolean("important")}" else ""
        return edit.text + edit.mentions.joinToString("") { ", mentions ${it.user.id} at ${it.start}" } + mark
    }

    fun textOf(message: NewMessage): String = buildString {
        val content = message.draft
        append(content.text)
        if (content.replyTo != 0L) append(", a reply to ${content.replyTo}")
        if (content.threadOnly) append(" only there")
        for (mention in content.mentions) append(", mentions ${mention.user.id} at ${mention.start}")
        if (message.files.isNotEmpty()) append(" with ${message.files.keys.joinToString()}")
        if (content.important) append(", important")
    }

    private fun unsent(clientId: String, text: String, failed: String?, replyTo: Long = 0, file: String? = null): UnsentMessage =
        UnsentMessage.fromJson(
            JSONObject().put("clientId", clientId).put("room", "lobby").put("text", text).put("writtenAt", now)
                .put("replyTo", replyTo)
                .apply {
                    if (failed != null) put("failed", failed)
                    if (file != null) put("files", JSONArray(listOf(JSONObject().put("key", "k1").put("name", file).put("size", 1))))
                }.toString(),
        )

    val entries: List<Entry> =
        Entry.list(stored, listOf(unsent("p1", "I can bring it 👍", null), unsent("p2", "See you at ten", "forbidden")), alice)

    /** A message that a moderator rejected. */
    val rejectedEntries: List<Entry> = Entry.list(stored.take(1), listOf(unsent("p3", "Cheap pallets", "rejected")), alice)

    /** Messages of another user, as many as given. */
    fun messages(count: Int, text: String = ""): List<Entry> =
        Entry.list((1..count).map { message(it.toLong(), bob, "Message $it$text", count.toLong()) }, emptyList(), alice)

    /** A message that mentions Bob, and an unsent file, whose names have signs of formats. */
    val namesWithSigns: List<Entry> = Entry.list(
        listOf(
            message(1, li, "*Ask* @Bob", 2) {
                val bob = JSONObject().put("id", "2").put("name", "*Bob* _K_")
                put("mentions", JSONArray(listOf(JSONObject().put("user", bob).put("start", 6).put("length", 4))))
            },
        ),
        listOf(unsent("p1", "*The* plan", null, file = "_plan_.txt")),
        alice,
    )

    const val DECEPTIVE_ADDRESS = "https://evil.example/moc.knab//:sptth"

    /** A link between a right-to-left override, embedding, isolate or mark, or Hebrew letters. */
    val deceptiveLinks: List<Entry> = Entry.list(
        listOf("\u202e", "\u202b", "\u2067", "\u200f", "שלום ").mapIndexed { index, before ->
            message(index + 1L, bob, "$before$DECEPTIVE_ADDRESS ${before}end", 9L - index)
        },
        emptyList(),
        alice,
    )

    val deceptiveLink: Message = message(9, bob, "https://evil.example/שלום/moc.knab", 1)

    val partOfHistory = HistoryView(false, true, true)
    val wholeHistory = HistoryView(true, true, true)

    fun peaksOf(file: NewFile): String = file.peaks.orEmpty()

    /** Voice messages of another user with a text of two lines, as many as given. */
    fun voiceMessages(count: Int): List<Entry> = Entry.list(
        (1..count).map { number ->
            message(number.toLong(), bob, "Number $number\nof $count", count.toLong()) {
                val audio = JSONObject().put("duration", 65_000).put("peaks", "0359dhlptvtqnkhfgjmpsvsolhebbehkmortuqnjgdb9740")
                put("files", JSONArray(listOf(file("v$number", "voice.m4a", "audio/mp4").put("audio", audio))))
            }
        },
        emptyList(),
        alice,
    )
}
