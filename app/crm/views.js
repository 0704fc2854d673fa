/** What the CRM shows: its contacts, the card of one, a deal. Each draws from the state it is given. */

import { avatar, icon, make, money } from "/demo/dom.js";

const CLOSING = { Won: "won", Lost: "lost" };

export const hueOf = (contact) => Number(contact.id.split("-")[1]) % 7;

export function people(contacts, deals, current) {
  return contacts.map((contact) => {
    const open = deals.filter((deal) => deal.contact_id === contact.id && !deal.closed).length;
    return make(
      "li",
      {},
      make(
        "a",
        { href: `#/contacts/${contact.id}`, "aria-current": contact.id === current && "true" },
        avatar(contact.name, hueOf(contact)),
        make("span", { class: "who" }, make("b", {}, contact.name), make("small", {}, contact.company)),
        open ? make("span", { class: "count", "aria-label": `${open} open`, role: "img" }, String(open)) : null,
      ),
    );
  });
}

export function contactCard(contact, deals) {
  const theirs = deals.filter((deal) => deal.contact_id === contact.id).reverse();
  const [open, closed] = [theirs.filter((deal) => !deal.closed), theirs.filter((deal) => deal.closed)];
  const strays = deals.filter((deal) => !deal.contact_id).reverse();
  return [
    make("header", { class: "face" }, avatar(contact.name, hueOf(contact), "large"), headed(contact)),
    // The company stands in the header.
    make("dl", { class: "facts" }, ...facts({ ...contact, company: "" })),
    ...dealList("Open deals", open, "None yet. Click + in the chat’s Deals list to make one."),
    ...(closed.length ? dealList("Closed deals", closed) : []),
    ...(strays.length ? dealList("Deals of chats with nobody we know", strays) : []),
  ];
}

const headed = ({ name, role, company }) => make("div", {}, make("h1", {}, name), make("p", {}, `${role}, ${company}`));

function facts({ company, phone, telegram, city }) {
  const rows = [
    ["company", "Company", company],
    ["phone", "Phone", phone],
    ["telegram", "Telegram", telegram],
    ["place", "City", city],
  ];
  return rows
    .filter(([, , value]) => value)
    .map(([picture, name, value]) => make("div", {}, make("dt", {}, icon(picture), name), make("dd", {}, value)));
}

function dealList(title, deals, empty) {
  return [
    make("h2", {}, title, deals.length ? make("span", { class: "count" }, String(deals.length)) : null),
    deals.length ? make("ul", { class: "deals" }, ...deals.map(dealRow)) : make("p", { class: "hint" }, empty),
  ];
}

const dealRow = (deal) =>
  make(
    "li",
    {},
    make(
      "a",
      { href: `#/deals/${deal.id}` },
      make(
        "span",
        { class: "who" },
        make("b", {}, deal.title),
        make("small", {}, `${deal.id} · ${money(deal.amount)}`),
      ),
      stage(deal.stage),
    ),
  );

const stage = (name) => make("span", { class: "stage", "data-stage": name }, name);

/** A deal, to look at and to change. `save` is told of changed fields. */
export function dealView(deal, { contacts, stages, save }) {
  const contact = contacts.find(({ id }) => id === deal.contact_id);
  return [
    make(
      "p",
      { class: "crumb" },
      contact
        ? make("a", { href: `#/contacts/${contact.id}` }, icon("back"), contact.name)
        : make("a", { href: "#/" }, icon("back"), "Contacts"),
    ),
    make("header", { class: "deal-head" }, make("h1", {}, `Deal ${deal.id}`), stage(deal.stage)),
    make(
      "form",
      { class: "deal", autocomplete: "off", onsubmit: (event) => event.preventDefault() },
      field("Title", titleInput(deal, save), "wide"),
      field("Amount, €", amountInput(deal, save)),
      field("Stage", stageSelect(deal, stages, save)),
      contact ? null : field("Contact", contactSelect(contacts, save), "wide"),
    ),
    make("div", { class: "actions" }, ...actions(deal, save)),
    make("dl", { class: "facts" }, ...(contact ? facts(contact) : []), ...origin(deal)),
  ];
}

const field = (name, input, kind = "") => make("label", { class: kind }, make("span", {}, name), input);

const titleInput = ({ title }, save) =>
  make("input", {
    id: "deal-title",
    maxlength: "120",
    required: true,
    value: title,
    onchange: ({ target }) => (target.value.trim() ? save({ title: target.value.trim() }) : (target.value = title)),
  });

const amountInput = ({ amount }, save) =>
  make("input", {
    id: "deal-amount",
    type: "number",
    min: "0",
    max: "1000000000",
    step: "1",
    inputmode: "numeric",
    placeholder: "0",
    value: amount ? String(amount) : "",
    onchange: ({ target }) => target.checkValidity() && save({ amount: Number(target.value) }),
  });

const stageSelect = ({ stage: current }, stages, save) =>
  make(
    "select",
    { id: "deal-stage", onchange: ({ target }) => save({ stage: target.value }) },
    ...stages.map((name) => make("option", { value: name, selected: name === current }, name)),
  );

const contactSelect = (contacts, save) =>
  make(
    "select",
    { id: "deal-contact", onchange: ({ target }) => target.value && save({ contact_id: target.value }) },
    make("option", { value: "" }, "Choose…"),
    ...contacts.map(({ id, name }) => make("option", { value: id }, name)),
  );

function actions(deal, save) {
  if (deal.closed) return [action("Open it again", "plain", () => save({ stage: "Talking" }))];
  return Object.entries(CLOSING).map(([name, kind]) => action(name, kind, () => save({ stage: name })));
}

const action = (name, kind, onclick) =>
  make("button", { type: "button", class: kind, id: `deal-${kind}`, onclick }, name);

function origin({ event_id: eventId }) {
  if (!eventId) return [];
  const [name, value] = [make("dt", {}, icon("check"), "Event"), make("dd", {}, make("code", {}, eventId))];
  return [make("div", {}, name, value)];
}
