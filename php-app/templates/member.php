<?php

declare(strict_types=1);

$title = $e($member->firstname) . ' · ' . $t('site.name');
?>
<main class="wide">
<p><a href="/members"><?= $t('member.back') ?></a></p>
<article class="profile">
<img class="face" src="/avatars/<?= $e($member->id) ?>.svg" alt="" width="144" height="144">
<div>
<h1><bdi><?= $e($member->firstname) ?></bdi><?php require __DIR__ . '/role.php' ?></h1>
<p class="lead"><?= $t("member.$member->id") ?></p>
<?php if ($member->id === $user->id) : ?>
<p><?= $t('member.self') ?></p>
<?php else : ?>
<button type="button" class="button" data-chat-with="<?= $e($member->id) ?>"><?= strtr($t('member.message'), ['{name}' => '<bdi>' . $e($member->firstname) . '</bdi>']) ?></button>
<?php endif ?>
</div>
</article>
</main>
