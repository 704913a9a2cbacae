package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.jupiter.api.Test;

/** An app may log any value. */
class ValuesTest {
  @Test
  void allPublicValuesOverrideToString() throws Exception {
    List<String> without = new ArrayList<>();
    int found = 0;
    try (Stream<Path> files = Files.list(Paths.get("target/classes/io/github/phpsessionchat"))) {
      for (Path file : files.collect(Collectors.toList())) {
        Class<?> type = Class.forName("io.github.phpsessionchat." + file.getFileName().toString().replace(".class", ""));
        boolean isValue = false;
        for (Field field : type.getFields()) isValue |= !Modifier.isStatic(field.getModifiers());
        if (!isValue || !Modifier.isPublic(type.getModifiers())) continue;
        found++;
        if (type.getMethod("toString").getDeclaringClass() == Object.class) without.add(type.getSimpleName());
      }
    }
    assertTrue(found > 20, found + " types");
    assertEquals(Collections.emptyList(), without);
  }

  @Test
  void toStringContainsNoSecrets() {
    JSONObject user = new JSONObject().put("id", "42").put("name", "Bob");
    JSONObject file = new JSONObject().put("id", "f1").put("name", "secret").put("alt", "secret");
    JSONObject json =
        new JSONObject()
            .put("id", "m1").put("room", "lobby").put("seq", 7).put("user", user).put("text", "secret")
            .put("reason", "secret").put("kind", "muted").put("role", "owner").put("by", user)
            .put("files", new JSONArray().put(file));
    json.put("message", new JSONObject(json.toString())).put("last", new JSONObject(json.toString()));
    List<Object> values =
        Arrays.asList(
            Message.fromJson(json), RoomSummary.Last.fromJson(json), RoomSummary.fromJson(json), Report.fromJson(json), Restriction.fromJson(json),
            Removal.fromJson(json), RoomMember.fromJson(json), ChatFile.fromJson(file), Identity.fromJson(json),
            Device.fromJson(json.put("name", "secret")), Notices.fromJson(json.put("mailTo", "secret")),
            Invite.fromJson(json.put("token", "secret")), InvitedRoom.fromJson(json.put("name", "secret")), ChatLink.parse("https://a.example/#join=secret"),
            Wire.page(new JSONObject().put("messages", new JSONArray().put(json)), "messages", Message::fromJson),
            UnsentFile.fromJson(json.put("key", "k1")), new HistoryView(true, false, true));
    for (Object value : values) {
      assertFalse(value.toString().contains("secret"), value::toString);
      assertFalse(value.toString().matches(".*@[0-9a-f]+"), value::toString);
    }
    assertEquals("42 is MUTED", Restriction.fromJson(json).toString());
  }

  @Test
  void mailsNeedAnAddressUnlessTheSiteSendsThem() {
    Notices here = Notices.fromJson(new JSONObject().put("mailTo", "alice@example.org"));
    assertEquals("alice@example.org", here.mailTo);
    assertTrue(here.canMail);
    Notices unknown = Notices.fromJson(new JSONObject().put("mailTo", JSONObject.NULL));
    assertNull(unknown.mailTo);
    assertFalse(unknown.canMail);
    Notices bySite = Notices.fromJson(new JSONObject().put("mailStoppedAt", 7));
    assertNull(bySite.mailTo);
    assertTrue(bySite.canMail);
    assertEquals(7, bySite.mailStoppedAt);
  }

  @Test
  void readsEachFieldFromItsOwnNameInPendingScheduledPinnedAndReportedMessages() {
    String common = "'id':'m1','room':'lobby','user':{'id':'bob'},'text':'t','replyTo':2,'files':[{'id':'f1'}],'at':3";
    HeldMessage held =
        HeldMessage.fromJson(
            new JSONObject(
                "{" + common + ",'seq':4,'mentions':[{'user':{'id':'cat'},'start':0,'length':1}],'preview':{'url':'u','title':'T'}}"));
    assertEquals("m1 lobby bob t 2 f1 3", held.id + " " + held.room + " " + held.user.id + " " + held.text + " " + held.replyTo + " " + held.files.get(0).id + " " + held.at);
    assertEquals("4 cat T", held.seq + " " + held.mentions.get(0).user.id + " " + held.preview.title);
    ScheduledMessage scheduled =
        ScheduledMessage.fromJson(new JSONObject("{" + common + ",'rev':4,'failed':{'code':'muted','at':5}}"));
    assertEquals("m1 lobby t 2 f1 3", scheduled.id + " " + scheduled.room + " " + scheduled.text + " " + scheduled.replyTo + " " + scheduled.files.get(0).id + " " + scheduled.at);
    assertEquals("4 muted", scheduled.rev + " " + scheduled.failed.code);
    PinnedMessage pinned = PinnedMessage.fromJson(new JSONObject("{'seq':1,'user':{'id':'bob'},'text':'t','by':{'id':'cat'},'at':3,'after':4}"));
    assertEquals("1 bob t cat 3 4", pinned.message.seq + " " + pinned.message.user.id + " " + pinned.message.text + " " + pinned.by.id + " " + pinned.at + " " + pinned.after);
    Report report =
        Report.fromJson(
            new JSONObject(
                "{'id':'r1','room':'lobby','message':{'seq':1},'by':{'id':'cat'},'reason':'spam','text':'note','at':3,"
                    + "'closed':{'by':{'id':'dan'},'done':'deleted','at':4}}"));
    assertEquals("r1 lobby 1 cat SPAM note 3", report.id + " " + report.room + " " + report.message.seq + " " + report.by.id + " " + report.reason + " " + report.text + " " + report.at);
    assertEquals("dan DELETED 4", report.closed.by.id + " " + report.closed.done + " " + report.closed.at);
  }

  @Test
  void readsTheContentOfHeldAndScheduledMessages() {
    JSONObject json =
        new JSONObject(
            "{'id':'m1','text':'@cat','replyTo':2,'threadOnly':true,'card':'order:1','mentions':[{'user':'cat','start':0,'length':4}]}");
    for (MessageContent message : Arrays.asList(HeldMessage.fromJson(json), ScheduledMessage.fromJson(json))) {
      assertEquals("@cat 2 true order:1", message.text + " " + message.replyTo + " " + message.threadOnly + " " + message.card);
      Mention mention = message.mentions.get(0);
      assertEquals("cat 0 4", mention.user.id + " " + mention.start + " " + mention.length);
    }
  }

  @Test
  void summarisesTheNewestMessageAsTheServerDoes() {
    RoomSummary.Last picture =
        Room.preview(Message.fromJson(new JSONObject("{'text':'t','files':[{'image':{'width':1}},{},{'image':{'width':1}}]}")));
    assertEquals("3 2 -1 false", picture.files + " " + picture.pictures + " " + picture.voice + " " + picture.card);
    RoomSummary.Last card = Room.preview(Message.fromJson(new JSONObject("{'text':'order:1','card':'order:1'}")));
    assertEquals("0 0 -1 true", card.files + " " + card.pictures + " " + card.voice + " " + card.card);
    RoomSummary.Last voice =
        Room.preview(Message.fromJson(new JSONObject("{'card':'order:1','files':[{'audio':{'peaks':'0v'}}]}")));
    assertEquals("1 0 0 false", voice.files + " " + voice.pictures + " " + voice.voice + " " + voice.card);
  }

  @Test
  void aChangeOfTheSessionKeepsWhatOnlyItsStartHas() {
    String me = "'user':{'id':'bob','name':'Bob'},'profile':{'url':'/u/{id}'}";
    Identity before =
        Identity.fromJson(
            new JSONObject(
                "{" + me + ",'roles':['admin','of a later version'],'can':{'report':true},'firstRoom':'lobby',"
                    + "'limits':{'text':10,'mentions':20,'file':30,'files':40},'site':{'name':'Orchard'}}"));
    assertEquals(Collections.singleton(Identity.SiteRole.ADMIN), before.roles);
    assertTrue(before.canReport);
    assertFalse(before.canSendFiles);
    Identity now = before.changed(new JSONObject("{" + me + ",'roles':[],'can':{'files':true}}"));
    assertEquals("[] false true /u/{id}", now.roles + " " + now.canReport + " " + now.canSendFiles + " " + now.profileTemplate);
    assertEquals("10 20 30 40 lobby Orchard", now.textLimit + " " + now.mentionsLimit + " " + now.fileLimit + " " + now.filesLimit + " " + now.firstRoom + " " + now.siteName);
  }

  @Test
  void readsTheLookOfARoom() {
    RoomSummary room =
        RoomSummary.fromJson(new JSONObject().put("color", "teal").put("emoji", "\uD83C\uDF33").put("picture", "0123456789abcdef"));
    assertEquals(RoomSummary.Color.TEAL, room.color);
    assertEquals("\uD83C\uDF33", room.emoji);
    assertEquals("0123456789abcdef", room.picture.id);
    assertEquals("picture.webp", room.picture.name);
    RoomSummary plain = RoomSummary.fromJson(new JSONObject().put("color", "of a later version"));
    assertNull(plain.color);
    assertNull(plain.emoji);
    assertNull(plain.picture);
  }

  @Test
  void parsesLinksToRoomsMessagesAndInvites() {
    ChatLink message = ChatLink.parse("https://chat.example/?a=1#m=u-1_x/17");
    assertEquals("u-1_x", message.room);
    assertEquals(17, message.seq);
    ChatLink room = ChatLink.parse("#m=lobby");
    assertEquals("lobby", room.room);
    assertEquals(0, room.seq);
    ChatLink invite = ChatLink.parse("https://chat.example/#join=a-B_9");
    assertEquals("a-B_9", invite.token);
    assertNull(invite.room);
    for (String other : Arrays.asList("https://chat.example/", "#m=", "#m=a b", "#m=a/0", "#m=a/1x", "#join=", "#m=a/1234567890123456", "m=a"))
      assertNull(ChatLink.parse(other), other);
  }
}
