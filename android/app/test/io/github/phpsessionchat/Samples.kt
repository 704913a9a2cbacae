package io.github.phpsessionchat

import org.json.JSONArray
import org.json.JSONObject

/** Rooms and messages as the server would send them. In the library's package, because apps cannot create them. */
object Samples {
    val alice = User("1", "Alice Moreau")
    val bob = User("2", "Bob Keller")
    private val li = User("3", "李伟")
    private val layla = User("4", "ليلى حداد")

    private val now = System.currentTimeMillis()
    private const val MINUTE = 60_000L

    private fun json(user: User) = JSONObject().put("id", user.id).put("name", user.name)

    private fun last(author: User, text: String, minutes: Long) = JSONObject()
        .put("seq", 1).put("user", json(author)).put("text", text).put("sentAt", now - minutes * MINUTE)

    private fun room(id: String, name: String, kind: String, unread: Int = 0, with: User? = null, member: Boolean = true) =
        JSONObject()
            .put("id", id).put("name", name).put("kind", kind).put("member", member)
            .put("may", JSONArray(listOf("send"))).put("head", 20).put("lastSeq", 20).put("readSeq", 20 - unread)
            .apply { if (with != null) put("with", json(with)) }

    val rooms: List<RoomSummary> = listOf(
        room("lobby", "lobby", "public").put("last", last(bob, "Me, I will hang it back", 3)),
        room("d2", "", "direct", unread = 1, with = bob).put("last", last(bob, "I have the key with me", 5)),
        room("market", "spring market", "private", unread = 14).put("mentions", 1)
            .put("last", last(li, "我十点到,带两箱育苗盆。", 8)),
        room("d4", "", "direct", with = layla).put("last", last(alice, "Thank you!", 50 * 60)),
        room("board", "board", "private"),
        room("garden", "garden-volunteers", "public", member = false),
    ).map(Wire::room)

    private fun message(seq: Long, author: User, text: String, minutes: Long, more: JSONObject.() -> Unit = {}): Message = Wire.message(
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
        message(6, layla, "المفتاح معي، أراكم في العاشرة.", 3) { put("replyTo", 4) },
    )

    val found: List<Message> = stored.take(3)

    val members: List<RoomMember> = listOf(bob, li, layla).map { Wire.member(JSONObject().put("user", json(it)).put("role", "member")) }

    val uploads: List<Upload> = listOf(
        Upload("u1", "lobby", "plan.pdf", 200_000, 80_000, null, null),
        Upload("u2", "lobby", "seeds.zip", 200_000, 0, null, "file_type"),
    )

    fun read(file: NewFile): String = "${file.name}, ${file.size} bytes: ${file.source.open().reader().readText()}"

    fun textOf(edit: MessageEdit): String = edit.text + edit.mentions.joinToString("") { ", mentions ${it.user.id} at ${it.start}" }

    fun textOf(message: NewMessage): String = buildString {
        append(message.text)
        if (message.replyTo != 0L) append(", a reply to ${message.replyTo}")
        for (mention in message.mentions) append(", mentions ${mention.user.id} at ${mention.start}")
        if (message.files.isNotEmpty()) append(" with ${message.files.keys.joinToString()}")
    }

    private fun unsent(clientId: String, text: String, failed: String?): PendingMessage = PendingMessage.fromJson(
        JSONObject().put("clientId", clientId).put("room", "lobby").put("text", text).put("writtenAt", now)
            .put("replyTo", 0).apply { if (failed != null) put("failed", failed) }.toString(),
    )

    val entries: List<Entry> =
        Entry.list(stored, listOf(unsent("p1", "I can bring it 👍", null), unsent("p2", "See you at ten", "forbidden")), alice)

    /** Messages of another user, as many as given. */
    fun messages(count: Int): List<Entry> =
        Entry.list((1..count).map { message(it.toLong(), bob, "Message $it", count.toLong()) }, emptyList(), alice)

    val partOfHistory = HistoryView(false, true, true)
    val wholeHistory = HistoryView(true, true, true)
}
