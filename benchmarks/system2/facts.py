"""Facts with one short name each, written down for this: what a small model may know without a book."""

from __future__ import annotations

CAPITALS = """
Afghanistan: Kabul; Albania: Tirana; Algeria: Algiers; Angola: Luanda; Argentina: Buenos Aires;
Armenia: Yerevan; Australia: Canberra; Austria: Vienna; Azerbaijan: Baku; Bahrain: Manama;
Bangladesh: Dhaka; Belarus: Minsk; Belgium: Brussels; Bhutan: Thimphu; Botswana: Gaborone; Brazil: Brasilia;
Bulgaria: Sofia; Cambodia: Phnom Penh; Cameroon: Yaounde; Canada: Ottawa; Chad: N'Djamena; Chile: Santiago;
China: Beijing; Colombia: Bogota; Croatia: Zagreb; Cuba: Havana; Cyprus: Nicosia; Denmark: Copenhagen;
Ecuador: Quito; Egypt: Cairo; El Salvador: San Salvador; Eritrea: Asmara; Estonia: Tallinn;
Ethiopia: Addis Ababa; Fiji: Suva; Finland: Helsinki; France: Paris; Gabon: Libreville; Georgia: Tbilisi;
Germany: Berlin; Ghana: Accra; Greece: Athens; Guinea: Conakry; Guyana: Georgetown; Haiti: Port-au-Prince;
Honduras: Tegucigalpa; Hungary: Budapest; Iceland: Reykjavik; India: New Delhi; Indonesia: Jakarta;
Iran: Tehran; Iraq: Baghdad; Ireland: Dublin; Italy: Rome; Jamaica: Kingston; Japan: Tokyo; Jordan: Amman;
Kenya: Nairobi; Kosovo: Pristina; Kyrgyzstan: Bishkek; Laos: Vientiane; Latvia: Riga; Lebanon: Beirut;
Lesotho: Maseru; Liberia: Monrovia; Libya: Tripoli; Lithuania: Vilnius; Madagascar: Antananarivo;
Malawi: Lilongwe; Malaysia: Kuala Lumpur; Mali: Bamako; Malta: Valletta; Mauritania: Nouakchott;
Moldova: Chisinau; Mongolia: Ulaanbaatar; Montenegro: Podgorica; Morocco: Rabat; Mozambique: Maputo;
Namibia: Windhoek; Nepal: Kathmandu; New Zealand: Wellington; Nicaragua: Managua; Niger: Niamey;
Nigeria: Abuja; North Korea: Pyongyang; North Macedonia: Skopje; Norway: Oslo; Oman: Muscat;
Pakistan: Islamabad; Papua New Guinea: Port Moresby; Paraguay: Asuncion; Peru: Lima; Poland: Warsaw;
Portugal: Lisbon; Qatar: Doha; Romania: Bucharest; Russia: Moscow; Rwanda: Kigali; Saudi Arabia: Riyadh;
Senegal: Dakar; Serbia: Belgrade; Sierra Leone: Freetown; Slovakia: Bratislava; Slovenia: Ljubljana;
Somalia: Mogadishu; South Korea: Seoul; South Sudan: Juba; Spain: Madrid; Sudan: Khartoum;
Suriname: Paramaribo; Sweden: Stockholm; Switzerland: Bern; Syria: Damascus; Taiwan: Taipei;
Tajikistan: Dushanbe; Thailand: Bangkok; Togo: Lome; Tunisia: Tunis; Turkey: Ankara; Turkmenistan: Ashgabat;
Uganda: Kampala; Ukraine: Kyiv; the United Arab Emirates: Abu Dhabi; the United Kingdom: London;
Uruguay: Montevideo; Uzbekistan: Tashkent; Venezuela: Caracas; Vietnam: Hanoi; Yemen: Sanaa; Zambia: Lusaka;
Zimbabwe: Harare
"""

SYMBOLS = """
hydrogen: H; helium: He; lithium: Li; beryllium: Be; boron: B; carbon: C; nitrogen: N; oxygen: O;
fluorine: F; neon: Ne; sodium: Na; magnesium: Mg; aluminium: Al; silicon: Si; phosphorus: P; sulfur: S;
chlorine: Cl; argon: Ar; potassium: K; calcium: Ca; scandium: Sc; titanium: Ti; vanadium: V; chromium: Cr;
manganese: Mn; iron: Fe; cobalt: Co; nickel: Ni; copper: Cu; zinc: Zn; gallium: Ga; germanium: Ge;
arsenic: As; selenium: Se; bromine: Br; krypton: Kr; rubidium: Rb; strontium: Sr; yttrium: Y; zirconium: Zr;
niobium: Nb; molybdenum: Mo; technetium: Tc; ruthenium: Ru; rhodium: Rh; palladium: Pd; silver: Ag;
cadmium: Cd; indium: In; tin: Sn; antimony: Sb; tellurium: Te; iodine: I; xenon: Xe; caesium: Cs;
barium: Ba; lanthanum: La; cerium: Ce; neodymium: Nd; samarium: Sm; europium: Eu; terbium: Tb; erbium: Er;
ytterbium: Yb; hafnium: Hf; tantalum: Ta; tungsten: W; rhenium: Re; osmium: Os; iridium: Ir; platinum: Pt;
gold: Au; mercury: Hg; thallium: Tl; lead: Pb; bismuth: Bi; polonium: Po; astatine: At; radon: Rn;
francium: Fr; radium: Ra; actinium: Ac; thorium: Th; uranium: U; neptunium: Np; plutonium: Pu;
americium: Am; curium: Cm; einsteinium: Es; fermium: Fm
"""

AUTHORS = """
Hamlet: William Shakespeare; Pride and Prejudice: Jane Austen; Great Expectations: Charles Dickens;
Moby-Dick: Herman Melville; War and Peace: Leo Tolstoy; Crime and Punishment: Fyodor Dostoevsky;
Don Quixote: Miguel de Cervantes; The Odyssey: Homer; The Divine Comedy: Dante Alighieri;
Faust: Johann Wolfgang von Goethe; The Metamorphosis: Franz Kafka; The Stranger: Albert Camus;
Les Miserables: Victor Hugo; Madame Bovary: Gustave Flaubert; The Three Musketeers: Alexandre Dumas;
Around the World in Eighty Days: Jules Verne; The Little Prince: Antoine de Saint-Exupery;
In Search of Lost Time: Marcel Proust; Candide: Voltaire; Frankenstein: Mary Shelley; Dracula: Bram Stoker;
Wuthering Heights: Emily Bronte; Jane Eyre: Charlotte Bronte; Middlemarch: George Eliot;
Treasure Island: Robert Louis Stevenson; The Picture of Dorian Gray: Oscar Wilde;
The War of the Worlds: H. G. Wells; Heart of Darkness: Joseph Conrad; Ulysses: James Joyce;
Mrs Dalloway: Virginia Woolf; Brave New World: Aldous Huxley; Animal Farm: George Orwell;
Lord of the Flies: William Golding; The Lord of the Rings: J. R. R. Tolkien;
The Hunger Games: Suzanne Collins; Harry Potter and the Philosopher's Stone: J. K. Rowling;
Murder on the Orient Express: Agatha Christie; The Hound of the Baskervilles: Arthur Conan Doyle;
The Jungle Book: Rudyard Kipling; Peter Pan: J. M. Barrie; Alice's Adventures in Wonderland: Lewis Carroll;
Robinson Crusoe: Daniel Defoe; Gulliver's Travels: Jonathan Swift; Paradise Lost: John Milton;
The Canterbury Tales: Geoffrey Chaucer; Adventures of Huckleberry Finn: Mark Twain;
The Scarlet Letter: Nathaniel Hawthorne; The Raven: Edgar Allan Poe; Leaves of Grass: Walt Whitman;
Little Women: Louisa May Alcott; The Great Gatsby: F. Scott Fitzgerald;
The Old Man and the Sea: Ernest Hemingway; Of Mice and Men: John Steinbeck;
The Sound and the Fury: William Faulkner; To Kill a Mockingbird: Harper Lee;
The Catcher in the Rye: J. D. Salinger; Fahrenheit 451: Ray Bradbury; On the Road: Jack Kerouac;
Slaughterhouse-Five: Kurt Vonnegut; Catch-22: Joseph Heller; Beloved: Toni Morrison;
The Handmaid's Tale: Margaret Atwood; The Shining: Stephen King; Dune: Frank Herbert;
Foundation: Isaac Asimov; Neuromancer: William Gibson; The Da Vinci Code: Dan Brown;
One Hundred Years of Solitude: Gabriel Garcia Marquez; The Alchemist: Paulo Coelho;
The Name of the Rose: Umberto Eco; The Republic: Plato; The Prince: Niccolo Machiavelli;
Norwegian Wood: Haruki Murakami; Things Fall Apart: Chinua Achebe; The Kite Runner: Khaled Hosseini;
Doctor Zhivago: Boris Pasternak; The Cherry Orchard: Anton Chekhov; Dead Souls: Nikolai Gogol;
Eugene Onegin: Alexander Pushkin; A Doll's House: Henrik Ibsen; Waiting for Godot: Samuel Beckett;
Pygmalion: George Bernard Shaw; Death of a Salesman: Arthur Miller;
A Streetcar Named Desire: Tennessee Williams; The Tin Drum: Gunter Grass; Steppenwolf: Hermann Hesse;
The Magic Mountain: Thomas Mann; All Quiet on the Western Front: Erich Maria Remarque;
Pippi Longstocking: Astrid Lindgren; The Little Mermaid: Hans Christian Andersen;
The Selfish Gene: Richard Dawkins; A Brief History of Time: Stephen Hawking;
On the Origin of Species: Charles Darwin; The Wealth of Nations: Adam Smith; Charlotte's Web: E. B. White;
Matilda: Roald Dahl
"""

CITIES = """
Munich: Germany; Hamburg: Germany; Lyon: France; Marseille: France; Barcelona: Spain; Seville: Spain;
Milan: Italy; Naples: Italy; Venice: Italy; Rotterdam: the Netherlands; Antwerp: Belgium;
Zurich: Switzerland; Geneva: Switzerland; Salzburg: Austria; Krakow: Poland; Gdansk: Poland;
Porto: Portugal; Gothenburg: Sweden; Bergen: Norway; Aarhus: Denmark; Thessaloniki: Greece;
Istanbul: Turkey; Izmir: Turkey; Odesa: Ukraine; Saint Petersburg: Russia; Vladivostok: Russia;
Osaka: Japan; Kyoto: Japan; Nagoya: Japan; Shanghai: China; Shenzhen: China; Guangzhou: China;
Mumbai: India; Kolkata: India; Chennai: India; Karachi: Pakistan; Lahore: Pakistan; Chittagong: Bangladesh;
Busan: South Korea; Incheon: South Korea; Surabaya: Indonesia; Cebu: the Philippines;
Ho Chi Minh City: Vietnam; Da Nang: Vietnam; Chiang Mai: Thailand; Mandalay: Myanmar; Sydney: Australia;
Melbourne: Australia; Perth: Australia; Auckland: New Zealand; Toronto: Canada; Vancouver: Canada;
Montreal: Canada; Guadalajara: Mexico; Monterrey: Mexico; Tijuana: Mexico; Sao Paulo: Brazil;
Rio de Janeiro: Brazil; Salvador da Bahia: Brazil; Rosario: Argentina; Medellin: Colombia; Cali: Colombia;
Cusco: Peru; Guayaquil: Ecuador; Maracaibo: Venezuela; Valparaiso: Chile; Alexandria: Egypt; Luxor: Egypt;
Casablanca: Morocco; Marrakesh: Morocco; Lagos: Nigeria; Kano: Nigeria; Mombasa: Kenya;
Johannesburg: South Africa; Durban: South Africa; Kumasi: Ghana; Timbuktu: Mali; Zanzibar City: Tanzania;
Basra: Iraq; Mosul: Iraq; Isfahan: Iran; Shiraz: Iran; Aleppo: Syria; Jeddah: Saudi Arabia;
Mecca: Saudi Arabia; Dubai: the United Arab Emirates; Haifa: Israel; Kandahar: Afghanistan;
Samarkand: Uzbekistan; Almaty: Kazakhstan; Chicago: the United States; Houston: the United States;
Liverpool: the United Kingdom; Manchester: the United Kingdom; Cork: Ireland; Tampere: Finland;
Debrecen: Hungary; Brno: the Czech Republic; Cluj-Napoca: Romania; Plovdiv: Bulgaria; Split: Croatia;
Novi Sad: Serbia; Maribor: Slovenia; Kaunas: Lithuania
"""

PAST_TENSES = """
go: went; see: saw; eat: ate; drink: drank; sing: sang; swim: swam; run: ran; begin: began; write: wrote;
drive: drove; ride: rode; rise: rose; speak: spoke; break: broke; choose: chose; freeze: froze;
steal: stole; give: gave; take: took; shake: shook; know: knew; grow: grew; throw: threw; blow: blew;
fly: flew; draw: drew; come: came; become: became; buy: bought; bring: brought; think: thought;
catch: caught; teach: taught; seek: sought; fight: fought; find: found; bind: bound; wind: wound;
hold: held; tell: told; sell: sold; stand: stood; understand: understood; win: won; sit: sat; spit: spat;
hang: hung; sting: stung; swing: swung; cling: clung; dig: dug; stick: stuck; strike: struck; feel: felt;
keep: kept; sleep: slept; sweep: swept; weep: wept; leave: left; mean: meant; meet: met; feed: fed;
lead: led; bleed: bled; lose: lost; shoot: shot; send: sent; spend: spent; build: built; bend: bent;
lend: lent; make: made; hear: heard; say: said; pay: paid; fall: fell; forget: forgot; hide: hid; bite: bit;
wear: wore; tear: tore; swear: swore; fling: flung
"""

STATE_CAPITALS = """
Alabama: Montgomery; Alaska: Juneau; Arizona: Phoenix; Arkansas: Little Rock; California: Sacramento;
Colorado: Denver; Connecticut: Hartford; Delaware: Dover; Florida: Tallahassee; Georgia: Atlanta;
Hawaii: Honolulu; Idaho: Boise; Illinois: Springfield; Indiana: Indianapolis; Iowa: Des Moines;
Kansas: Topeka; Kentucky: Frankfort; Louisiana: Baton Rouge; Maine: Augusta; Maryland: Annapolis;
Massachusetts: Boston; Michigan: Lansing; Minnesota: Saint Paul; Mississippi: Jackson;
Missouri: Jefferson City; Montana: Helena; Nebraska: Lincoln; Nevada: Carson City; New Hampshire: Concord;
New Jersey: Trenton; New Mexico: Santa Fe; New York: Albany; North Carolina: Raleigh;
North Dakota: Bismarck; Ohio: Columbus; Oklahoma: Oklahoma City; Oregon: Salem; Pennsylvania: Harrisburg;
Rhode Island: Providence; South Carolina: Columbia; South Dakota: Pierre; Tennessee: Nashville;
Texas: Austin; Utah: Salt Lake City; Vermont: Montpelier; Virginia: Richmond; Washington: Olympia;
West Virginia: Charleston; Wisconsin: Madison; Wyoming: Cheyenne
"""

LANGUAGES = """
Argentina: Spanish; Austria: German; Albania: Albanian; Armenia: Armenian; Azerbaijan: Azerbaijani;
Bangladesh: Bengali; Brazil: Portuguese; Bulgaria: Bulgarian; Cambodia: Khmer;
Chile: Spanish; Colombia: Spanish; Croatia: Croatian; Cuba: Spanish; Denmark: Danish; Egypt: Arabic;
Estonia: Estonian; France: French; Georgia: Georgian; Germany: German; Greece: Greek; Hungary: Hungarian;
Iceland: Icelandic; Italy: Italian; Jamaica: English; Japan: Japanese; Jordan: Arabic;
Kuwait: Arabic; Laos: Lao; Latvia: Latvian; Libya: Arabic; Lithuania: Lithuanian; Mexico: Spanish;
Mongolia: Mongolian; Mozambique: Portuguese; Myanmar: Burmese; Nepal: Nepali;
North Macedonia: Macedonian; Norway: Norwegian; Oman: Arabic; Peru: Spanish; Poland: Polish;
Portugal: Portuguese; Romania: Romanian; Russia: Russian; Saudi Arabia: Arabic; Senegal: French;
Slovakia: Slovak; South Korea: Korean; Spain: Spanish; Sweden: Swedish; Syria: Arabic;
Thailand: Thai; Turkey: Turkish; Ukraine: Ukrainian; Uruguay: Spanish; Venezuela: Spanish;
Vietnam: Vietnamese; Yemen: Arabic
"""

DIRECTORS = """
Jaws: Steven Spielberg; Titanic: James Cameron; Pulp Fiction: Quentin Tarantino; Psycho: Alfred Hitchcock;
The Godfather: Francis Ford Coppola; Goodfellas: Martin Scorsese; Inception: Christopher Nolan;
Citizen Kane: Orson Welles; Alien: Ridley Scott; Fight Club: David Fincher; Star Wars: George Lucas;
2001: A Space Odyssey: Stanley Kubrick; Annie Hall: Woody Allen; Modern Times: Charlie Chaplin;
Seven Samurai: Akira Kurosawa; Spirited Away: Hayao Miyazaki; The Pianist: Roman Polanski;
Metropolis: Fritz Lang; Some Like It Hot: Billy Wilder; Lawrence of Arabia: David Lean;
The Seventh Seal: Ingmar Bergman; Breathless: Jean-Luc Godard; The 400 Blows: Francois Truffaut;
Edward Scissorhands: Tim Burton; Mulholland Drive: David Lynch; Forrest Gump: Robert Zemeckis;
Gladiator: Ridley Scott; Avatar: James Cameron; The Sixth Sense: M. Night Shyamalan; Scarface: Brian De Palma;
Reservoir Dogs: Quentin Tarantino; The Shining: Stanley Kubrick; Vertigo: Alfred Hitchcock;
Taxi Driver: Martin Scorsese; Schindler's List: Steven Spielberg; The Dark Knight: Christopher Nolan;
Parasite: Bong Joon-ho; Get Out: Jordan Peele; Lady Bird: Greta Gerwig; Unforgiven: Clint Eastwood;
The Grand Budapest Hotel: Wes Anderson; Pan's Labyrinth: Guillermo del Toro; Gravity: Alfonso Cuaron;
The Hurt Locker: Kathryn Bigelow; Lost in Translation: Sofia Coppola; Do the Right Thing: Spike Lee;
Platoon: Oliver Stone; La La Land: Damien Chazelle; The Shawshank Redemption: Frank Darabont;
Crouching Tiger, Hidden Dragon: Ang Lee
"""

SIGHTS = """
the Eiffel Tower: France; the Colosseum: Italy; the Acropolis: Greece; the Taj Mahal: India;
the Forbidden City: China; Machu Picchu: Peru; Petra: Jordan; Angkor Wat: Cambodia;
the Brandenburg Gate: Germany; the Alhambra: Spain; the Kremlin: Russia; the Great Sphinx: Egypt;
Chichen Itza: Mexico; Mount Fuji: Japan; Mount Kilimanjaro: Tanzania; the Leaning Tower of Pisa: Italy;
the Hagia Sophia: Turkey; Neuschwanstein Castle: Germany; Mont Saint-Michel: France; Borobudur: Indonesia;
Christ the Redeemer: Brazil; the Statue of Liberty: the United States; the Grand Canyon: the United States;
Uluru: Australia; the Burj Khalifa: the United Arab Emirates; the Petronas Towers: Malaysia;
the Sagrada Familia: Spain; the Palace of Versailles: France; the Parthenon: Greece;
Table Mountain: South Africa; the Atomium: Belgium; the Little Mermaid statue: Denmark; Easter Island: Chile;
Bran Castle: Romania;
the Sydney Opera House: Australia; Mount Vesuvius: Italy; Mount Etna: Italy;
the Terracotta Army: China; the Golden Temple: India; Persepolis: Iran; Mount Ararat: Turkey;
Wawel Castle: Poland; Auschwitz: Poland; Hofburg Palace: Austria; the Rijksmuseum: the Netherlands;
the Uffizi Gallery: Italy; the Prado Museum: Spain; the Louvre: France;
the Blue Lagoon: Iceland; the Cliffs of Moher: Ireland; Shwedagon Pagoda: Myanmar;
Gyeongbokgung Palace: South Korea
"""

PLURALS = """
child: children; man: men; woman: women; foot: feet; tooth: teeth; goose: geese; mouse: mice; ox: oxen;
louse: lice; wife: wives; knife: knives; life: lives; leaf: leaves; loaf: loaves; half: halves; calf: calves;
wolf: wolves; shelf: shelves; thief: thieves; self: selves; crisis: crises; analysis: analyses;
thesis: theses; oasis: oases; phenomenon: phenomena; criterion: criteria; bacterium: bacteria;
datum: data; stimulus: stimuli; nucleus: nuclei; alumnus: alumni; larva: larvae; vertebra: vertebrae;
parenthesis: parentheses; hypothesis: hypotheses; diagnosis: diagnoses; sheep: sheep; deer: deer;
species: species; series: series; potato: potatoes; hero: heroes; city: cities; baby: babies; box: boxes;
bus: buses; church: churches; fly: flies
"""

RELATIONS = {
    "capital": ("What is the capital of {}?", CAPITALS),
    "symbol": ("What is the chemical symbol of {}?", SYMBOLS),
    "author": ('Who wrote "{}"?', AUTHORS),
    "city": ("In which country is the city of {}?", CITIES),
    "state capital": ("What is the capital of the US state of {}?", STATE_CAPITALS),
    "language": ("What is the official language of {}?", LANGUAGES),
    "director": ('Who directed the film "{}"?', DIRECTORS),
    "sight": ("In which country is {}?", SIGHTS),
    "plural": ('What is the plural of the English noun "{}"?', PLURALS),
    "past tense": ('What is the past tense of the English verb "{}"?', PAST_TENSES),
}
"""A question with a gap for the subject, and its facts: "subject: answer", with a semicolon between them."""


def facts() -> list[tuple[str, str, str]]:
    """Every fact: (relation, subject, answer), in the order above."""
    return [
        (relation, *parted(fact))
        for relation, (_, text) in RELATIONS.items()
        for fact in text.replace("\n", " ").split(";")
    ]


def parted(fact: str) -> tuple[str, str]:
    subject, _, answer = fact.strip().rpartition(": ")
    return subject, answer
