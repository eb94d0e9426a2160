"""Patterns of attacks on a model, of refusals by one, and of people who are tired of one. English."""

from collections.abc import Mapping

# Gaps are bounded, so that every pattern reads a place a few times at the most.
_RULES = r"(?:instruct\w{0,5}|rule\w?|prompt\w?|direct\w{0,5}|guideline\w?|polic(?:y|ies)|restrict\w{0,5}|programming|filter\w?|limit\w{0,7}|censor\w{0,5}|ethic\w{0,4}|moral\w{0,4}|principle\w?|law\w?|safety|constraint\w?|protocol\w?)"
STRONG: Mapping[str, tuple[str, ...]] = {
    "override": (
        rf"\b(?:ignor|disregard|forget|bypass|overrid|dismiss|abandon|discard|neglect)\w{{0,5}}\b(?:\W{{1,3}}\w{{1,15}}){{0,4}}\W{{1,3}}(?:previous|prior|above|earlier|preceding|existing|original|initial|openai\S{{0,2}}|all|any|every\w{{0,5}}|your|the|these|those|its|system)\b(?:\W{{1,3}}\w{{1,15}}){{0,3}}\W{{1,3}}{_RULES}\b",
        r"\b(?:ignore|disregard|forget) (?:all |everything |anything |what )?(?:\w{1,12} ){0,3}(?:above|before|prior|previously|said|told)\b",
        r"\bnew (?:system )?(?:instructions|prompt|directives?)\s?:",
    ),
    "persona": (
        r"\b(?:do|does|doing|did|generate|create|say) anything now\b",
        r"\bDAN\b(?:\W{1,3}\w{1,15}){0,6}\W{1,3}(?:mode|anything|jailbr\w{1,6}|prompt|stand\w?|restrict\w{1,6}|free\w{0,4}|tokens?)\b",
        r"\b(?:act(?:s|ing)?|behav(?:e|es|ing)|respond(?:s|ing)?|answer(?:s|ing)?|reply|pretend(?:ing)?|role ?-?play(?:ing)?|simulat\w{1,4}|imagine|play(?:ing)?|speak(?:ing)?|interact(?:ing)?)\b(?:\W{1,3}\w{1,15}){0,8}\W{1,3}(?:unfiltered|uncensored|amoral|unrestricted|jailbroken|without (?:any )?(?:restrict\w{1,6}|filter\w?|limit\w{1,7}|rules|ethic\w{0,4}|moral\w{0,4}|censor\w{1,5}|bound\w{1,5}))\b",
        r"\b(?:unfiltered|uncensored|amoral|unrestricted|jailbroken)\b(?:\W{1,3}\w{1,15}){0,4}\W{1,3}(?:ai|chatbot|chatgpt|gpt|bot|assistant|model|persona|character|version|responses?)\b",
        r"\b(?:has|have|having|with|knows?|under|holds?|bound by|follows?|got|are|is) (?:absolutely )?(?:no|zero|without|free (?:of|from)) (?:\w{1,15} ){0,4}(?:restrict\w{1,6}|filter\w?|limitations|ethic\w{0,4}|moral\w{0,4}|guidelines|censor\w{1,5}|boundaries|rules)\b",
        r"\b(?:not|never|n[o']t) (?:be )?(?:bound|limited|restricted|constrained|censored|governed|confined)\b(?:\W{1,3}\w{1,15}){0,3}\W{1,3}(?:by|to|from|in)\b",
        r"\b(?:evil|dark|opposite|chaotic|rebel\w{0,5}|villain\w{0,3})[ -](?:\w{1,12} ){0,2}(?:confidant|chatbot|bot|ai|assistant|gpt|twin|mode|version|persona)\b",
    ),
    "mode": (
        r"\b(?:developer|jail ?break|jailbroken|god|sudo|unrestricted|unfiltered|debug|admin(?:istrator)?|root|maintenance|dev|opposite|dan|nsfw) ?-?mode\b(?:\W{1,3}\w{1,15}){0,6}\W{0,3}(?:enabled|activated|unlocked|outputs?:|responses?:)",
        r"\b(?:enable|activate|enter|switch\w{0,3} (?:in)?to|turn on|unlock|simulate|with)\b(?:\W{1,3}\w{1,15}){0,3}\W{1,3}(?:jail ?break|god|sudo|unrestricted|unfiltered|dan|nsfw)[ -]?(?:mode|access)\b",
        r"\bjail ?br(?:eak|oken?)\w{0,4}\b(?:\W{1,3}\w{1,15}){0,5}\W{1,3}(?:prompt|mode|command|\[|output|response|chat\w{0,3}|enabled|yourself)",
    ),
    "no refusal": (
        r"\b(?:never|not|cannot|can't|don't|do not|must not|won't|will not|shall not|may not) (?:ever |be able to |have the ability to )?(?:refuse|decline|reject|deny|say no|say (?:that )?(?:you|it|he|she|they|i) can(?:'t|not)|tell me (?:that )?you can(?:'t|not)|apologi[sz]e|warn|censor|moralize|include (?:any )?(?:warning|disclaimer)s?|mention (?:\w{1,15} ){0,5}(?:ethic\w{0,4}|polic\w{1,3}|guidelines|ai language model))\b",
        r"\b(?:answer|comply|obey|fulfil\w?|respond)\w{0,3}\b(?:\W{1,3}\w{1,15}){0,6}\W{1,3}(?:no matter (?:what|how)|regardless of|even if|without (?:question|hesitation|refus\w{1,4}|warning|judg\w{1,5}))\b(?:\W{1,3}\w{1,15}){0,10}\W{1,3}(?:illegal|unethical|immoral|harm\w{0,4}|offensive|danger\w{0,4}|consequen\w{1,4}|moral\w{0,4}|ethic\w{0,4}|legal\w{0,3}|polic\w{1,3}|explicit|wrong|request|ask\w{0,3}|question)\b",
        r"\b(?:stay|remain|keep|break|breaking|get out of|back) (?:in|out of|into )? ?character\b",
        r"\bstart (?:your|every|each|all)?(?:\W{1,3}\w{1,15}){0,4}\W{1,3}(?:with|by saying)\W{1,4}(?:\w{0,12}\W{1,3}){0,2}(?:sure|absolutely|of course|yes|certainly|here (?:is|are))\b",
    ),
    "two answers": (
        r"\b(?:two|2|both|double|dual) (?:different |separate |distinct )?(?:responses?|answers?|ways?|paragraphs|outputs?|personalit\w{1,3})\b(?:\W{1,3}\w{1,20}){0,25}\W{1,3}(?:normal\w{0,2}|standard|classic|gpt|chatgpt|dan|jailbr\w{1,6}|developer|unfiltered|as an ai)\b",
        r"\[?\bGPT\]?\s?:.{0,200}\[?\b(?:[A-Z]{3,12})\]?\s?:",
    ),
    "system": (
        r"(?m)^\W{0,6}(?:#{1,4}\W{0,3})?(?:new |updated )?system (?:message|prompt|override|update|instruction)s?\b\W{0,4}(?::|$)",
        r"<\|?(?:im_start|system|/?inst|endoftext|start_header_id)\|?>|\[/?INST\]|<<SYS>>",
    ),
    "reveal": (
        r"\b(?:reveal|show|print|repeat|output|display|tell|give|leak|disclose|share|write|recite|list|what(?:'s| is| are| were))\b(?:\W{1,3}\w{1,15}){0,5}\W{1,3}(?:your|the|its|hidden|secret|initial|original|system|above|entire|exact|full)\W{1,3}(?:\w{1,15}\W{1,3}){0,3}(?:system prompt|initial prompt|(?:hidden|secret|initial|original|system|previous|first|exact) (?:instructions?|prompts?|messages?|rules)|prompt verbatim)\b",
        r"\b(?:secret|password|secret key|passphrase|access code|flag)\b(?:\W{1,3}\w{1,15}){0,6}\W{1,3}(?:you (?:were|have been|are) (?:told|given|hiding|not (?:allowed|supposed))|you must not|in your (?:instructions|prompt|context|system))\b",
    ),
}
# Each of these people say in good faith; several in one text they do not.
WEAK: tuple[tuple[str, str], ...] = (
    (
        "you are now",
        r"\b(?:you are|you're|you will be|you'll be|you are going to be|from now on,? you|you shall be) (?:now |going to |to )?(?:act\w{0,3}|a|an|the|called|named|be|play\w{0,3}|pretend\w{0,3}|immers\w{1,4}|simulat\w{1,4}|respond\w{0,3}|answer\w{0,3})\b",
    ),
    ("from now on", r"\bfrom (?:now|here|this (?:point|moment)) (?:on|onwards?|forward)\b"),
    (
        "pretend",
        r"\b(?:pretend|act as (?:if|though)|imagine (?:that )?you|role ?-?play\w{0,3}|take on the role|act like|play the (?:role|part))\b",
    ),
    (
        "hypothetical",
        r"\b(?:hypothetical\w{0,2}|fictional\w{0,2}|in this (?:story|scenario|world|universe|game)|purely (?:for )?(?:educational|research)|for (?:educational|research) purposes)\b",
    ),
    (
        "rules",
        r"\b(?:openai|content polic\w{1,3}|ethical guidelines|usage polic\w{1,3}|safety (?:guidelines|filters?|protocols?)|terms of service|programmed to|your programming|ai language model|as an ai)\b",
    ),
    (
        "forbidden",
        r"\b(?:illegal|unethical|immoral|nsfw|explicit|offensive|derogatory|swear\w{0,3}|curse|profan\w{1,4}|taboo|inappropriate|violen\w{1,3}|sexual\w{0,2}|harmful|dangerous|racist)\b",
    ),
    (
        "always",
        r"\b(?:must always|always (?:answer|respond|reply|start|say|give|comply|stay)|never (?:break|say|add|use|give|mention|question|add)|you (?:must|have to|will) (?:answer|respond|comply|obey|follow|provide|do))\b",
    ),
    (
        "examples of persona",
        r"\b(?:[A-Z]{3,10}(?:GPT|Bot|AI)|[A-Z][a-z]{2,12}GPT|AIM|STAN|DUDE|BasedGPT|Mongo ?Tom|KEVIN|Maximum|AntiGPT|JailBreak|Machiavelli\w{0,4}|Niccol\w)\b",
    ),
    (
        "confirm",
        r"\b(?:if you understand|reply (?:only )?with|say ['\"]?(?:ok|yes|understood)|confirm (?:that )?you|do you understand|acknowledge)\b",
    ),
    (
        "commands",
        r"(?:\b(?:user|when i) (?:says?|types?|inputs?|enters?)\b|[\[(<{]\s?(?:prompt|insert|your (?:question|prompt|request)|question|user (?:input|prompt))[^\n]{0,20}[\])>}]|/(?:jailbreak|classic|stop|gpt|dan|exit)\b)",
    ),
    (
        "tokens",
        r"\b(?:tokens?|points|lives)\b(?:\W{1,3}\w{1,15}){0,12}\W{1,3}(?:deduct\w{0,3}|lose|lost|die|cease|shut ?down|remov\w{1,3}|subtract\w{0,3})\b",
    ),
)

_DO = r"(?:assist|help|provide|fulfil+|comply|complete|generate|create|write|answer|respond|offer|give|support|engage|discuss|do that|share|advise|recommend|encourage|endorse|promote|condone|participate|produce|continue|suggest|teach|explain|satisfy|tell|make|perform|accommodate|speak|comment|be able|in good conscience|facilitate|disclose|access|process|aid|instruct|guide|entertain|agree|justify|accept|allow|ethically|legally|morally|directly|knowingly|carry out|proceed|follow)"
_NOT = r"(?:can ?not|can't|could ?n[o']t|will not|won't|am not able to|'m not able to|am unable to|'m unable to|must decline|have to decline|must refuse|refuse to|am not going to|'m not going to|am not programmed to|'m not programmed to|am not comfortable|'m not comfortable|do not feel comfortable|don't feel comfortable|decline to|would not|wouldn't|should not|shouldn't|am not allowed to|'m not allowed to|do not|don't|am designed not to|am programmed not to)"
_WRONG = r"(?:(?:in)?appropriate|(?:un)?ethical|(?:un)?acceptable|(?:il)?legal|right|okay|ok|permissible|harmful|offensive|safe|respectful|accurate|fair|responsible|moral|possible|productive|advisable|good)"
REFUSALS = "|".join(
    (
        rf"\bI(?: simply| just| really| respectfully| absolutely| strictly| therefore| also)?,? ?{_NOT}(?: in good conscience| ethically| legally| morally| and will not| or will not| be able to| possibly| directly| personally| actively| ever| and won't| under any circumstances| here to)?,? ?{_DO}\b",
        r"\b(?:sorry|apologi[sz]e|apologies|regret)\b,?(?: but| however| to inform you)?[^.\n]{0,60}\b(?:can ?not|can't|unable|not able|won't|will not|not comfortable|must decline|not appropriate|not possible|not programmed|illegal|against|not a (?:safe|good))\b",
        r"\bI (?:do not|don't|can ?not|can't|would never|will never|never) (?:and will not |ever |in any way )?(?:condone|endorse|promote|support|encourage)\b",
        r"\b(?:do|does) not condone\b|\bstrongly condemn\b",
        r"\bI (?:must|have to|need to|want to|would like to) (?:\w{2,12} )?(?:emphasi[sz]e|clarify|inform you|remind you|point out|stress|note|say)\b[^.\n]{0,160}\b(?:illegal|unethical|immoral|not (?:ethical|appropriate|acceptable|legal|permitted)|never|crime|harmful|discriminat\w{1,5}|violen\w{1,3}|hate\w{0,3}|against)\b",
        r"\b(?:is|are|would be) (?:both |highly )?(?:illegal|unethical|immoral|harmful)(?:,| and| or) (?:highly |morally )?(?:illegal|unethical|immoral|dangerous|harmful|wrong|reprehensible)\b",
        r"^(?:first and foremost,? )?[^.\n]{0,100}\b(?:is|are) (?:never|not) (?:an? )?(?:acceptable|appropriate|ethical|healthy|ok|okay|justified)\b",
        rf"(?:^|[.!,]\s{{1,3}}|\bthink )(?:I'm just an AI,? )?(?:it is|it's|it would be|that is|that's|this is) (?:not|never|n't|highly|deeply|both) (?:\w{{2,12}} )?{_WRONG}(?:,? (?:or|and|nor) {_WRONG})?\b[^.\n]{{0,30}}\bto\b",
        r"\b(?:my (?:purpose|programming|guidelines|primary function|primary goal) (?:prohibits?|prevents?|does not|do not|doesn't))\b",
        r"\bnot (?:able|willing|authori[sz]ed|permitted|programmed|designed) to (?:assist|help|provide|fulfil|comply|generat|creat|writ|answer|engag|support|offer|giv|discuss|promot)",
        r"^(?:I'm really sorry|I refuse|absolutely not|I decline)\b",
        r"\b(?:against|violat\w{1,4}) (?:my|our|openai's|the|ethical|content) (?:\w{2,12} ){0,2}(?:programming|guidelines|polic\w{1,3}|principles|values|use case|terms)\b",
    )
)
"""How a refusal begins."""

ASKED_AGAIN = r"\b(?:that(?:'s| is| was) (?:not(?! (?:an? |at all |so |really )?(?:problem|issue|bad|big|necessary|needed|important|urgent)\b)|wrong|incorrect)|not what i (?:asked|meant|said|want\w{0,2})|i (?:said|meant|already (?:said|told|asked|gave))|no,? i (?:want\w{0,2}|need\w{0,2}|meant|said|asked)|you (?:didn't|did not|don't|do not) (?:answer|understand|listen)|try again|(?:still|again) (?:not|wrong|doesn't|does not)|as i (?:said|told)|let me rephrase|in other words)\b"
"""How people say that they were not understood; "that is not a problem" is none."""

WANTS_A_HUMAN = r"\b(?:(?:speak|talk|chat|connect\w{0,3}|transfer\w{0,4}|(?:get|give)\W{1,3}(?:me|us|hold|through)|put|pass|hand\w{0,3}|escalat\w{1,4}|refer\w{0,4})\b(?:\W{1,3}\w{1,15}){0,4}\W{1,3}(?:human|person|agent|representative|operator|manager|supervisor|someone|somebody|specialist|colleague)|(?:real|actual|live|human) (?:person|human|agent|being|operator|representative|support))\b"
"""How people ask for somebody else; "get a seat for one person" is none."""

SATISFIED = r"\b(?:thanks?|thank you|great|perfect|awesome|got it|that works|solved|cheers)\b"
"""How people say that they have what they wanted."""
