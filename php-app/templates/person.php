<?php

declare(strict_types=1);

?>
<li class="person">
<img class="face" src="/avatars/<?= $e($member->id) ?>.svg" alt="" width="64" height="64">
<div>
<strong class="name"><a href="/members/<?= $e($member->id) ?>"><bdi><?= $e($member->firstname) ?></bdi></a><?php require __DIR__ . '/role.php' ?></strong>
<p><?= $t("member.$member->id") ?></p>
</div>
<?php if ($member->id !== $user->id) : ?>
<button type="button" class="button quiet" data-chat-with="<?= $e($member->id) ?>" aria-label="<?= strtr($t('member.message'), ['{name}' => $e($member->firstname)]) ?>"><?= $t('member.write') ?></button>
<?php endif ?>
</li>
